//! What rows ask for, where no sidecar says it: from the rows file, as long as it is unchanged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::adapters::output::runs::read_plan;
use crate::adapters::rows::{ReadOptions, RowInput, RowSource};
use crate::commands::world::World;
use crate::domain::picture::{RunPicture, Scene, SceneReference};
use crate::domain::plan::Plan;
use crate::domain::reference::redact_queries;
use crate::domain::request::ImageSpec;
use crate::domain::row::Row;
use crate::ports::rows::RowReader;

/// Tells the prompts and references of rows that have no image, when the rows are as they were. A
/// picture without them is a picture all the same.
pub(super) fn tell_rows_of_plan(world: &World, plan: &Path, picture: &mut RunPicture) {
    let Some(plan) = read_plan(plan).and_then(|text| Plan::parse(&text, "plan").ok()) else {
        return;
    };
    let path = world.path(&plan.bound.rows_path);
    if !path.is_file() {
        return;
    }
    let Ok(mut source) = RowSource::open(&RowInput::Path(path), &ReadOptions::default()) else {
        return;
    };
    if !source.sha256().is_ok_and(|sha256| sha256 == plan.bound.rows_sha256) {
        return;
    }
    let index = source.index(&mut |_| Ok(()), &mut |_| {});
    if let Ok(reader) = index.and_then(|index| source.reader(&Arc::new(index))) {
        tell_rows_without_images(reader, picture);
    }
}

/// Tells what all rows ask for, where they are at hand.
pub(in crate::commands) fn tell_rows(
    mut reader: impl RowReader,
    picture: &mut RunPicture,
    asks: &dyn Fn(u32, &Row) -> Arc<ImageSpec>,
) {
    let scenes = picture.scenes.iter_mut();
    let mut scenes: BTreeMap<String, &mut Scene> =
        scenes.map(|scene| (scene.scene_id.clone(), scene)).collect();
    for position in 0.. {
        let Ok(row) = reader.read(position) else { return };
        let Some(scene) = scenes.remove(row.scene_id.as_str()) else { continue };
        tell_row(scene, &row);
        if !scene.images.is_empty() {
            let spec = asks(position, &row);
            scene.model = Some(format!("{} / {}", spec.provider, spec.model));
            scene.asked = Some(format!("{} {}", spec.size, spec.quality));
        }
    }
}

/// The same where sidecars have told of the rows with images.
fn tell_rows_without_images(mut reader: impl RowReader, picture: &mut RunPicture) {
    let wanted = picture.scenes.iter_mut().filter(|scene| scene.prompt.is_none());
    let mut wanted: BTreeMap<String, &mut Scene> =
        wanted.map(|scene| (scene.scene_id.clone(), scene)).collect();
    let mut position = 0;
    while !wanted.is_empty() {
        let Ok(row) = reader.read(position) else { return };
        if let Some(scene) = wanted.remove(row.scene_id.as_str()) {
            tell_row(scene, &row);
        }
        position += 1;
    }
}

fn tell_row(scene: &mut Scene, row: &Row) {
    scene.row = row.number;
    scene.prompt = Some(redact_queries(&row.prompt).into_owned());
    scene.n_images = u32::from(row.variants.get());
    let references = row.references.iter().chain(&row.options.mask);
    scene.references = references
        .map(|it| SceneReference { name: it.redacted().to_owned(), sha256: None })
        .collect();
}
