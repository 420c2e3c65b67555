//! Events as lines of JSON on standard output.

use crate::domain::event::Stamped;
use crate::ports::sink::EventSink;
use crate::report::printer::Printer;

/// Prints each event on a line of its own.
#[derive(Debug)]
pub struct EventLines {
    printer: Printer,
}

impl EventLines {
    /// Prints through this printer.
    pub const fn new(printer: Printer) -> Self {
        Self { printer }
    }
}

impl EventSink for EventLines {
    fn show(&mut self, events: &[Stamped]) {
        let mut text = String::new();
        for event in events {
            if let Ok(line) = serde_json::to_string(event) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        self.printer.result(&text);
    }
}
