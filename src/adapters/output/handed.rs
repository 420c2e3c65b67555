//! Images that go to a bucket as well, while the run is at work: nobody waits for that, and what
//! the bucket does not take is handed over when the run ends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::adapters::output::hand_over::HandOver;
use crate::adapters::output::images::ImageFolder;
use crate::domain::image::StoredImage;
use crate::domain::image_name::ImageName;
use crate::domain::look::Sight;
use crate::domain::sidecar::Sidecar;
use crate::ports::images::{ImageStore, ImageStoreError, ImageWriter};

/// Names that are handed over in one go.
const GROUP: usize = 64;

/// A folder of images whose contents are handed over.
#[derive(Debug)]
pub struct HandedImages {
    inner: ImageFolder,
    /// Names only: they are few bytes each, however far the bucket lags behind.
    queue: UnboundedSender<String>,
}

impl HandedImages {
    /// Hands whatever becomes durable in the folder over; a task of its own does it.
    pub fn new(inner: ImageFolder, hand: HandOver) -> Self {
        let (queue, mut inbox) = unbounded_channel();
        tokio::spawn(async move {
            let mut names = Vec::with_capacity(GROUP);
            while inbox.recv_many(&mut names, GROUP).await > 0 {
                // What went wrong is tried again, and told, when the run ends.
                drop(hand.files(std::mem::take(&mut names)).await);
            }
        });
        Self { inner, queue }
    }

    fn hand(&self, path: &Path) {
        for name in [path.to_owned(), path.with_extension("json")] {
            // A task that is gone hands nothing over; the end of the run does.
            let _ = self.queue.send(name.to_string_lossy().into_owned());
        }
    }
}

#[async_trait]
impl ImageStore for HandedImages {
    async fn begin(&self, name: ImageName) -> Result<Box<dyn ImageWriter>, ImageStoreError> {
        self.inner.begin(name).await
    }

    async fn persist(
        &self,
        finished: Vec<(StoredImage, Sidecar)>,
    ) -> Vec<Result<(), ImageStoreError>> {
        let paths: Vec<_> = finished.iter().map(|(image, _)| image.path.clone()).collect();
        let results = self.inner.persist(finished).await;
        let kept = paths.iter().zip(&results).filter(|(_, result)| result.is_ok());
        kept.for_each(|(path, _)| self.hand(path));
        results
    }

    async fn look(&self, image: &StoredImage, is_compared: bool) -> Option<Sight> {
        self.inner.look(image, is_compared).await
    }

    fn linger(&self) -> Duration {
        self.inner.linger()
    }
}

/// The images of a run, handed over where somebody takes them.
pub fn images_of(folder: ImageFolder, hand: Option<HandOver>) -> Arc<dyn ImageStore> {
    match hand {
        Some(hand) => Arc::new(HandedImages::new(folder, hand)),
        None => Arc::new(folder),
    }
}
