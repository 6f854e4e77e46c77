//! Charts, drawn on the server: bars as numbers for SVG attributes. Whatever a chart shows is on the page in words too.

use jiff::{SignedDuration, Timestamp};
use rollcall_model::traffic::Hour;

/// One bar, in the units of its chart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) width: String,
    pub(crate) height: String,
    pub(crate) class: &'static str,
}

/// A word under a chart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Label {
    pub(crate) x: String,
    pub(crate) text: String,
}

/// A chart of bars that stand on each other, side by side.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Chart {
    pub(crate) bars: Vec<Bar>,
    pub(crate) labels: Vec<Label>,
    /// What it shows, in a sentence.
    pub(crate) words: String,
    /// The greatest value, which is as high as the chart.
    pub(crate) most: u64,
}

/// The size of a chart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// The part of a column that stays empty.
    pub(crate) gap: f64,
}

/// Draws columns of parts: each part is a class and a value, the lowest first.
pub(crate) fn columns<const N: usize>(
    columns: &[[u64; N]],
    classes: [&'static str; N],
    size: Size,
) -> Chart {
    let most = columns
        .iter()
        .map(|parts| parts.iter().sum::<u64>())
        .max()
        .unwrap_or(0);
    let mut bars = Vec::new();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a bar is drawn to a tenth of a pixel"
    )]
    let (step, scale) = (
        size.width / columns.len().max(1) as f64,
        size.height / most.max(1) as f64,
    );
    for (place, parts) in columns.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        let x = place as f64 * step + step * size.gap / 2.0;
        let mut top = size.height;
        for (value, class) in parts.iter().zip(classes) {
            if *value == 0 {
                continue;
            }
            // what happened once must be seen
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            let height = (*value as f64 * scale).max(1.0);
            top -= height;
            bars.push(Bar {
                x: format!("{x:.1}"),
                y: format!("{:.1}", top.max(0.0)),
                width: format!("{:.1}", step * (1.0 - size.gap)),
                height: format!("{height:.1}"),
                class,
            });
        }
    }
    Chart {
        bars,
        most,
        ..Chart::default()
    }
}

/// The requests of 24 hours, the present one last: answered as asked, and failed.
pub(crate) fn day(hours: &[Hour], now: Timestamp) -> [[u64; 2]; 24] {
    let this = now.as_second().div_euclid(3_600);
    let mut day = [[0; 2]; 24];
    for hour in hours {
        let age = this - hour.from.as_second().div_euclid(3_600);
        let place = usize::try_from(23 - age).ok();
        if let Some(column) = place.and_then(|place| day.get_mut(place)) {
            column[0] += hour.requests.saturating_sub(hour.failed);
            column[1] += hour.failed;
        }
    }
    day
}

/// Draws the requests of 24 hours small, for one directory.
pub(crate) fn spark(hours: &[Hour], now: Timestamp) -> Chart {
    let size = Size {
        width: 288.0,
        height: 34.0,
        gap: 0.25,
    };
    let mut chart = columns(&day(hours, now), ["bar-ok", "bar-bad"], size);
    "Requests per hour, last 24 hours".clone_into(&mut chart.words);
    chart
}

/// Draws the requests of 24 hours large, with the hours under it.
pub(crate) fn hours(hours: &[Hour], zone: &crate::words::Zone) -> Chart {
    let size = Size {
        width: 720.0,
        height: 120.0,
        gap: 0.2,
    };
    let now = zone.now();
    let day = day(hours, now);
    let mut chart = columns(&day, ["bar-ok", "bar-bad"], size);
    for place in (1..24).step_by(4) {
        let back = SignedDuration::from_hours(23 - i64::from(place));
        let at = zone.time_zone().to_datetime(now - back);
        chart.labels.push(Label {
            x: format!("{:.1}", (f64::from(place) + 0.5) * 30.0),
            text: format!("{:02}:00", at.hour()),
        });
    }
    let total: u64 = day.iter().flatten().sum();
    let failed: u64 = day.iter().map(|[_, failed]| failed).sum();
    chart.words = format!(
        "Requests per hour over the last 24 hours: {} in all, {} failed, {} in the busiest hour",
        crate::words::number(total),
        crate::words::number(failed),
        crate::words::number(chart.most)
    );
    chart
}

/// Returns which part of a whole something is, as a width: `93.45%`.
pub(crate) fn share(part: u64, whole: u64) -> String {
    let hundredths = (part.min(whole).saturating_mul(10_000) + whole / 2) / whole.max(1);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_with_the_present_hour() {
        let now: Timestamp = "2026-11-18T14:32:00Z".parse().unwrap();
        let hour = |from: &str, requests, failed| Hour {
            from: from.parse().unwrap(),
            integration: None,
            requests,
            failed,
        };
        let day = day(
            &[
                hour("2026-11-18T14:00:00Z", 5, 2),
                hour("2026-11-17T15:00:00Z", 7, 0),
                hour("2026-11-17T14:00:00Z", 9, 0),
            ],
            now,
        );
        assert_eq!(day[23], [3, 2]);
        assert_eq!(day[0], [7, 0]);
        assert_eq!(day.iter().flatten().sum::<u64>(), 12);
    }

    #[test]
    fn the_highest_column_is_as_high_as_the_chart() {
        let size = Size {
            width: 20.0,
            height: 10.0,
            gap: 0.0,
        };
        let chart = columns(&[[1, 1], [4, 0]], ["a", "b"], size);
        assert_eq!(chart.most, 4);
        let last = chart.bars.last().unwrap();
        assert_eq!((last.y.as_str(), last.height.as_str()), ("0.0", "10.0"));
        assert_eq!(chart.bars[1].class, "b");
        assert_eq!(chart.bars[1].y, "5.0");
        assert!(columns::<1>(&[], ["a"], size).bars.is_empty());
    }

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!(share(103_066, 110_000), "93.70%");
        assert_eq!(share(0, 0), "0.00%");
        assert_eq!(share(3, 2), "100.00%");
    }
}
