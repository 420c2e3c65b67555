//! The flags of `run`, laid over what files and the environment say.

use crate::cli::args::run::RunArgs;
use crate::cli::layers::{self, Layers, Origin};

/// Lays the flags over everything else.
pub(super) fn put_flags(layers: &mut Layers, args: &RunArgs) {
    for (setting, flag) in [
        (layers::PROVIDER, &args.provider),
        (layers::MODEL, &args.model),
        (layers::SIZE, &args.size),
        (layers::QUALITY, &args.quality),
        (layers::IMAGE_FORMAT, &args.image_format),
        (layers::BASE_URL, &args.base_url),
        (layers::API_KEY_ENV, &args.api_key_env),
        (layers::CONCURRENCY, &args.concurrency),
        (layers::REQUESTS_PER_MINUTE, &args.requests_per_minute),
        (layers::IMAGES_PER_MINUTE, &args.images_per_minute),
        (layers::REQUEST_TIMEOUT, &args.request_timeout),
        (layers::LIMIT_PER_DAY, &args.limit_per_day),
        (layers::LIMIT_PER_RUN, &args.limit_per_run),
        (layers::PAID_RETRIES, &args.paid_retries),
        (layers::PAID_ATTEMPTS, &args.paid_attempts),
        (layers::PAID_RETRY_ON, &args.paid_retry_on),
        (layers::ON_BAD_ROW, &args.on_bad_row),
        (layers::SIM, &args.sim),
        (layers::CANARY, &args.canary),
        (layers::CANARY_NAME, &args.canary_name),
        (layers::OUT, &args.out),
        (layers::IMAGE_NAME, &args.name),
        (layers::LEDGER, &args.ledger),
        (layers::PRICES, &args.prices),
        (layers::TZ, &args.tz),
    ] {
        layers.put_flag(setting, flag.as_ref());
    }
    args.fetch.put(layers);
    if args.allow_network_ledger {
        let setting = layers::ALLOW_NETWORK_LEDGER;
        layers.put(setting, "true", Origin::Flag(setting.flag));
    }
}
