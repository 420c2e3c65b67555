//! Any bytes as rows of JSON: read, read again, rejected, drawn; nothing may fall over.
#![no_main]

mod rows;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    rows::drive(bytes, imagemill::domain::row_format::RowFormat::Json);
});
