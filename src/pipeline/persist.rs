//! Makes finished images durable in groups, off the request's path; only then are they stored.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::domain::digest::Sha256Digest;
use crate::domain::event::{ImageStored, RunEvent};
use crate::domain::ids::{AttemptId, RunId};
use crate::domain::image::StoredImage;
use crate::domain::ledger::CostSource;
use crate::domain::look::ImageCheck;
use crate::domain::money::NanoUsd;
use crate::domain::request::ask_identity;
use crate::domain::sidecar::{SCHEMA, Sidecar, SidecarReference};
use crate::pipeline::context::RunContext;
use crate::pipeline::event_task::EventHandle;
use crate::pipeline::generate::VariantJob;
use crate::pipeline::linger::{Hurry, Linger};
use crate::pipeline::stop::{Stop, StopReason, with_sources};
use crate::ports::clock::Clock;
use crate::ports::images::ImageStore;
use crate::ports::provider::Generation;

/// Images that may wait for their sync. A full queue slows the sending down, so that a crash
/// can lose at most this many paid images.
const QUEUE: usize = 64;

/// An image that has its final name and whose money is settled.
pub(crate) struct Finished<'a> {
    /// The attempt that paid for it.
    pub(crate) rid: AttemptId,
    /// What was asked.
    pub(crate) job: &'a VariantJob,
    /// The file.
    pub(crate) image: &'a StoredImage,
    /// What is known of its looks.
    pub(crate) check: ImageCheck,
    /// What the provider said.
    pub(crate) generation: &'a Generation,
    /// What it cost.
    pub(crate) amount: NanoUsd,
    /// Where that figure comes from.
    pub(crate) source: CostSource,
}

type Item = (StoredImage, Sidecar, ImageStored);

/// The way to the persist task; a rehearsal has none.
#[derive(Clone, Debug)]
pub struct PersistHandle {
    queue: Option<mpsc::Sender<Item>>,
    hurry: Hurry,
}

impl PersistHandle {
    /// A handle that stores nothing and calls every image stored at once.
    pub fn rehearsal() -> Self {
        Self { queue: None, hurry: Hurry::default() }
    }

    /// What ends the wait for company, once there are no more images.
    pub fn hurry(&self) -> Hurry {
        self.hurry.clone()
    }

    /// Starts the task. It ends when every handle is gone and its queue is empty.
    pub fn spawn(
        images: Arc<dyn ImageStore>,
        events: EventHandle,
        stop: Arc<Stop>,
        clock: Arc<dyn Clock>,
    ) -> (Self, JoinHandle<()>) {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let hurry = Hurry::default();
        // Nobody waits for an image to be durable: a few milliseconds make few syncs of many.
        let (span, most) = (images.linger(), QUEUE);
        let linger = Linger { clock, span, hurry: hurry.clone(), most };
        let task = tokio::spawn(work(inbox, images, events, stop, linger));
        (Self { queue: Some(queue), hurry }, task)
    }

    /// Hands a finished image on.
    pub(crate) async fn keep(&self, cx: &RunContext, finished: Finished<'_>) {
        let stored = ImageStored {
            rid: finished.rid,
            row: finished.job.row.number,
            scene_id: finished.job.row.scene_id.clone(),
            variant: finished.job.request.variant,
            file: finished.image.path.to_string_lossy().into_owned(),
            n_bytes: finished.image.n_bytes,
            sha256: self.queue.is_some().then_some(finished.image.sha256),
            pixels: finished.image.pixels,
            flaws: finished.check.flaws,
            ask: self.queue.is_some().then(|| ask(cx, finished.job)),
            work: None,
            look: finished.check.look.filter(|_| finished.job.row.variants.get() > 1),
        };
        match &self.queue {
            None => cx.events.emit(RunEvent::ImageStored(Box::new(stored))).await,
            Some(queue) => {
                let sidecar = sidecar(cx, cx.run_id, &finished);
                if queue.send((finished.image.clone(), sidecar, stored)).await.is_err()
                    && !cx.stop.is_broken()
                {
                    let text = "the task that keeps images failed".to_owned();
                    cx.stop.drain(StopReason::Broken(text));
                }
            }
        }
    }
}

async fn work(
    mut inbox: mpsc::Receiver<Item>,
    images: Arc<dyn ImageStore>,
    events: EventHandle,
    stop: Arc<Stop>,
    linger: Linger,
) {
    let mut group = Vec::with_capacity(QUEUE);
    while inbox.recv_many(&mut group, QUEUE).await > 0 {
        linger.gather(&mut inbox, &mut group).await;
        let mut finished = Vec::with_capacity(group.len());
        let mut stored = Vec::with_capacity(group.len());
        for (image, sidecar, event) in group.drain(..) {
            finished.push((image, sidecar));
            stored.push(event);
        }
        let mut first_error = None;
        for (result, event) in images.persist(finished).await.into_iter().zip(stored) {
            match result {
                Ok(()) => events.emit(RunEvent::ImageStored(Box::new(event))).await,
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        if let Some(error) = first_error {
            let text = with_sources(&error);
            stop.drain(StopReason::Environment(format!("images cannot be kept: {text}")));
        }
    }
}

/// What makes an image the answer to the same request in another row or run.
fn ask(cx: &RunContext, job: &VariantJob) -> Sha256Digest {
    let (request, settings) = (&job.request, &cx.settings);
    let mut references = request.references.iter().map(|reference| reference.sha256);
    ask_identity(
        &request.prompt,
        request.variant,
        &request.spec,
        settings.origin(),
        &mut references,
        request.has_mask,
        settings.is_simulated(),
    )
}

fn sidecar(cx: &RunContext, run_id: RunId, finished: &Finished<'_>) -> Sidecar {
    let request = &finished.job.request;
    Sidecar {
        schema: SCHEMA.into(),
        run_id,
        rid: finished.rid,
        scene_id: request.scene_id.as_str().to_owned(),
        variant: request.variant,
        work: finished.job.identity(cx),
        prompt: request.prompt.to_string(),
        request: (*request.spec).clone(),
        references: request
            .references
            .iter()
            .map(|reference| SidecarReference {
                name: reference.reference.redacted().to_owned(),
                sha256: Some(reference.sha256),
            })
            .collect(),
        amount: finished.amount,
        cost_source: finished.source.word().to_owned(),
        simulated: cx.settings.is_simulated(),
        provider_request_id: finished.generation.request_id.as_deref().map(str::to_owned),
        file: finished.image.path.to_string_lossy().into_owned(),
        kind: finished.image.kind,
        n_bytes: finished.image.n_bytes,
        sha256: finished.image.sha256,
        width: finished.image.pixels.map(|(width, _)| width),
        height: finished.image.pixels.map(|(_, height)| height),
        flaws: finished.check.flaws,
        copy_of: None,
        finished_at: cx.clock.now().to_string(),
    }
}
