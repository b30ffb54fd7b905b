//! The rules for intervals and schedules.

use kube::core::Rule;

use super::{rule, whole};

pub(in crate::api) fn interval() -> Rule {
    at_least(
        "10s",
        "not a length of time of at least 10s: write whole hours, minutes and seconds, largest first, such as 30m or \
         1h30m",
    )
}

pub(in crate::api) fn deep_interval() -> Rule {
    at_least(
        "1m",
        "not a length of time of at least 1m: write whole hours, minutes and seconds, largest first, such as 12h",
    )
}

pub(in crate::api) fn grace() -> Rule {
    at_least(
        "0s",
        "not a length of time: write whole hours, minutes and seconds, largest first, such as 24h, or 0s",
    )
}

fn at_least(least: &str, message: &str) -> Rule {
    let regex = "([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?";
    rule(format!("{} && self != '' && duration(self) >= duration('{least}')", whole(regex)), message)
}

pub(in crate::api) fn cron() -> Rule {
    // Of each field its values, and the steps that it may be walked in.
    let fields = [
        ("[0-5]?[0-9]", "0?[1-9]|[1-5][0-9]"),
        ("[01]?[0-9]|2[0-3]", "0?[1-9]|1[0-9]|2[0-3]"),
        ("0?[1-9]|[12][0-9]|3[01]", "0?[1-9]|[12][0-9]|3[01]"),
        ("0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", "0?[1-9]|1[0-2]"),
        ("0?[0-7]|(?i:sun|mon|tue|wed|thu|fri|sat)", "0?[1-7]"),
    ];
    let fields = fields.map(|(value, step)| {
        let entry = format!(r"(?:\*|(?:{value})(?:-(?:{value}))?)(?:/(?:{step}))?");
        format!("{entry}(?:,{entry})*")
    });
    rule(
        whole(&fields.join(" ")),
        "not five fields of cron: write minute (0-59), hour (0-23), day of month (1-31), month (1-12 or jan-dec) and day \
         of week (0-7 or sun-sat), with one space between them, such as 0 3 * * *",
    )
}

pub(in crate::api) fn cron_ranges() -> Rule {
    rule(
        "self.findAll('[0-9]{1,3}-[0-9]{1,3}').all(r, int(r.split('-')[0]) <= int(r.split('-')[1]))",
        "a range ends before it begins: write the smaller number first, such as 1-5, or two ranges, such as 22-23,0-5",
    )
}

/// Of the names in use, only those of `Etc/GMT` have a `+`; elsewhere it is an offset, which knows no summer time.
pub(in crate::api) fn time_zone() -> Rule {
    rule(
        whole("[A-Za-z][A-Za-z0-9_-]*(/[A-Za-z0-9_-]+){0,2}|Etc/GMT[+][0-9]{1,2}"),
        "not a time zone: write its IANA name, such as Europe/Rome or UTC",
    )
}
