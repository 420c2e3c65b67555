//! A plain client: the same requests, decoding, hashing, sidecars and files, written as one would
//! write them with `reqwest`, without a ledger, a journal or a lane. It is a program of its own,
//! since a run is one as well.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Client;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::Failure;

/// Makes `n_rows` images, `concurrency` at a time.
pub(crate) fn run(
    base_url: &str,
    n_rows: u32,
    concurrency: u32,
    folder: &Path,
) -> Result<(), Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    fs::create_dir_all(folder)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(all(base_url, n_rows, concurrency, folder))
}

async fn all(base_url: &str, n_rows: u32, n_slots: u32, folder: &Path) -> Result<(), Failure> {
    let client = Client::builder()
        .http1_only()
        .no_proxy()
        .pool_max_idle_per_host(n_slots as usize)
        .build()?;
    let url: Arc<str> = format!("{base_url}/images/generations").into();
    let slots = Arc::new(Semaphore::new(n_slots as usize));
    let mut tasks = JoinSet::new();
    for n in 0..n_rows {
        let slot = Arc::clone(&slots).acquire_owned().await?;
        let (client, url, folder) = (client.clone(), Arc::clone(&url), folder.to_owned());
        tasks.spawn(async move {
            let made = one(&client, &url, n, folder).await;
            drop(slot);
            made
        });
        while let Some(joined) = tasks.try_join_next() {
            joined?.map_err(|error| error.to_string())?;
        }
    }
    while let Some(joined) = tasks.join_next().await {
        joined?.map_err(|error| error.to_string())?;
    }
    Ok(())
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

async fn one(client: &Client, url: &str, n: u32, folder: PathBuf) -> Result<(), Broken> {
    let prompt = format!("a plain thing number {n}");
    let ask = json!({
        "model": "gpt-image-2", "prompt": prompt, "n": 1, "size": "1024x1024", "quality": "low",
        "output_format": "png",
    });
    let answer: Value =
        client.post(url).json(&ask).send().await?.error_for_status()?.json().await?;
    let letters = answer["data"][0]["b64_json"].as_str().ok_or("no image")?;
    let image = base64_simd::STANDARD.decode_to_vec(letters)?;
    let digest: String = Sha256::digest(&image).iter().map(|byte| format!("{byte:02x}")).collect();
    let sidecar = json!({ "prompt": prompt, "sha256": digest, "usage": answer["usage"] });
    let (part, path) = (folder.join(format!("{n}.part")), folder.join(format!("{n}.png")));
    tokio::task::spawn_blocking(move || {
        write_durably(&part, &path, &image)?;
        let part = path.with_extension("json.part");
        write_durably(&part, &path.with_extension("json"), &serde_json::to_vec_pretty(&sidecar)?)
    })
    .await??;
    Ok(())
}

fn write_durably(part: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(part)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(part, path)
}
