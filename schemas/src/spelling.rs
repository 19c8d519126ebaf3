//! Which known name somebody meant who wrote another.

/// Fewest letters of a known name that a longer one may begin with and mean it.
const STEM_CHARS: usize = 3;

/// Returns the known name that is nearest to `name`, when they differ by a typing error's worth: by
/// Levenshtein's distance without regard to case, a name begun, or spelled out, being nearest.
///
/// ```
/// use schemas::spelling::nearest;
/// let fields = ["lat", "lon", "battery_pct"];
/// assert_eq!(nearest("latitude", fields), Some("lat"));
/// assert_eq!(nearest("Battery_Pct", fields), Some("battery_pct"));
/// assert_eq!(nearest("colour", fields), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let distance = |known: &str| {
        let begun = !name.is_empty() && known.starts_with(&name);
        let spelled_out = known.len() >= STEM_CHARS && name.starts_with(known);
        match begun || spelled_out {
            true => 0,
            false => edit_distance(&name, known),
        }
    };
    let distances = known.into_iter().map(|known| (distance(known), known));
    let (distance, nearest) = distances.min()?;
    let bearable = nearest.len().max(name.len()).div_ceil(3);
    (distance <= bearable).then_some(nearest)
}

/// Levenshtein's distance, by bytes: our names are ASCII.
fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.bytes().enumerate() {
            let substituted = diagonal + usize::from(l != r);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_the_nearest_or_nothing() {
        let reports = ["carriers", "causes", "coverage", "silent-terminals"];
        for (name, meant) in [
            ("covrage", Some("coverage")),
            ("silent", Some("silent-terminals")),
            ("carrier", Some("carriers")),
            ("zonk", None),
        ] {
            assert_eq!(nearest(name, reports), meant, "{name}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
