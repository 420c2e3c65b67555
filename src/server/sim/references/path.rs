//! What a path below `/refs/` asks for: a picture, or a fault before or instead of it.

use std::time::Duration;

/// The longest that a path can make an answer wait: longer than any client's patience.
const MOST_PATIENCE: Duration = Duration::from_secs(600);

/// The longest file that a path can ask for: a few times the largest reference that is taken.
const MOST_BYTES: usize = 64 << 20;

/// How a picture is asked for, with a word for each fault; for people who mistype one.
pub(super) const FORMS: &str = "NAME.png, or one of size/BYTES, slow/TIME, flaky/TIMES, \
    status/CODE, trickle, endless, short, drop, gzip, wrong-type, svg, bomb, redirect, \
    redirect-to-private and redirect-loop before it";

/// What is done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    /// The picture as it is.
    Plain,
    /// A picture whose file is about this long.
    Size(usize),
    /// The picture after a wait.
    Slow(Duration),
    /// 503 for the first so many requests, then the picture.
    Flaky(u32),
    /// An error with this status.
    Status(u16),
    /// A byte now and then, for ever.
    Trickle,
    /// Bytes without a length, for ever.
    Endless,
    /// Less than the announced length.
    Short,
    /// The connection ends without an answer.
    Drop,
    /// The picture with an encoding that nobody asked for.
    Gzip,
    /// A page that says that it is a picture.
    WrongType,
    /// A picture of a kind that can hold programs.
    Svg,
    /// A few bytes that would become billions of pixels.
    Bomb,
    /// An answer that leads to the picture.
    Redirect,
    /// An answer that leads to an address that nobody may ask.
    RedirectToPrivate,
    /// An answer that leads to itself.
    RedirectLoop,
}

/// Reads a key: the path behind `/refs/`. Gives the conduct and the name of the picture.
pub(super) fn read(key: &str) -> Option<(Conduct, &str)> {
    let (folder, name) = match key.rsplit_once('/') {
        Some((folder, name)) => (Some(folder), name),
        None => (None, key),
    };
    name.strip_suffix(".png").filter(|stem| !stem.is_empty())?;
    let conduct = match folder {
        None => Conduct::Plain,
        Some(folder) => conduct(folder)?,
    };
    Some((conduct, name))
}

fn conduct(folder: &str) -> Option<Conduct> {
    if let Some((word, value)) = folder.split_once('/') {
        return with_value(word, value);
    }
    Some(match folder {
        "trickle" => Conduct::Trickle,
        "endless" => Conduct::Endless,
        "short" => Conduct::Short,
        "drop" => Conduct::Drop,
        "gzip" => Conduct::Gzip,
        "wrong-type" => Conduct::WrongType,
        "svg" => Conduct::Svg,
        "bomb" => Conduct::Bomb,
        "redirect" => Conduct::Redirect,
        "redirect-to-private" => Conduct::RedirectToPrivate,
        "redirect-loop" => Conduct::RedirectLoop,
        _ => return None,
    })
}

fn with_value(word: &str, value: &str) -> Option<Conduct> {
    match word {
        "size" => value.parse().ok().filter(|n| *n <= MOST_BYTES).map(Conduct::Size),
        "slow" => {
            let wait = humantime::parse_duration(value).ok()?;
            (wait <= MOST_PATIENCE).then_some(Conduct::Slow(wait))
        }
        "flaky" => value.parse().ok().map(Conduct::Flaky),
        // A status below 200 is no answer.
        "status" => value.parse().ok().filter(|it| (200..600).contains(it)).map(Conduct::Status),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_mistyped_ones_are_not() {
        let check = |key: &str, wanted: Conduct| {
            assert_eq!(read(key), Some((wanted, "a.png")), "{key}");
        };
        check("a.png", Conduct::Plain);
        check("size/5000000/a.png", Conduct::Size(5_000_000));
        check("slow/3s/a.png", Conduct::Slow(Duration::from_secs(3)));
        check("flaky/2/a.png", Conduct::Flaky(2));
        check("status/503/a.png", Conduct::Status(503));
        check("redirect-loop/a.png", Conduct::RedirectLoop);
        for key in [
            "",
            ".png",
            "a",
            "a.jpg",
            "wrongtype/a.png",
            "slow/a.png",
            "slow/3/a.png",
            "slow/1h/a.png",
            "status/99/a.png",
            "size/99999999/a.png",
            "flaky/-1/a.png",
            "trickle/3/a.png",
            "drop/a.png/",
        ] {
            assert_eq!(read(key), None, "{key}");
        }
    }

    #[test]
    fn every_word_of_the_list_is_read() {
        let words = FORMS.split([' ', ',']).filter(|word| !word.is_empty());
        let known = words.filter(|word| {
            let values = [("BYTES", "1"), ("TIMES", "1"), ("TIME", "1s"), ("CODE", "503")];
            let folder =
                values.iter().fold((*word).to_owned(), |it, (from, to)| it.replace(from, to));
            read(&format!("{folder}/a.png")).is_some()
        });
        assert_eq!(known.count(), 15);
    }
}
