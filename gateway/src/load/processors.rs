//! Which processors count as ours, and how much of them is used: of the machine, of the control group that a
//! container runs in, or as many as LIVEKIT_CPU_REQUEST says.

use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where control groups (version 2) are.
const GROUPS: &str = "/sys/fs/cgroup";

/// The processors that a load is measured of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Processors {
    /// All of the machine, whoever uses them.
    Machine,
    /// As many as the quota of a control group allows; whatever runs in the group uses them.
    Group { folder: PathBuf, many: f64 },
    /// So many are meant for this process, and what it uses itself counts.
    Own { many: f64 },
}

/// Two sums that grow; a load is the difference of one over that of the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub used: f64,
    pub had: f64,
}

impl Processors {
    /// `wanted` is LIVEKIT_CPU_REQUEST: it counts before the quota of a control group.
    pub fn found(wanted: Option<f64>) -> Self {
        if let Some(many) = wanted {
            return Self::Own { many };
        }
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        group_of(Path::new(GROUPS), &groups).unwrap_or(Self::Machine)
    }

    /// `None`: the kernel does not say.
    pub fn read(&self, since: Instant) -> Option<Reading> {
        let over = |used: f64, many: f64| Reading { used, had: since.elapsed().as_secs_f64() * many };
        match self {
            Self::Machine => machine(&std::fs::read_to_string("/proc/stat").ok()?),
            Self::Group { folder, many } => {
                let stat = std::fs::read_to_string(folder.join("cpu.stat")).ok()?;
                Some(over(group(&stat)?, *many))
            }
            Self::Own { many } => {
                let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
                Some(over(process(&stat)? / rustix::param::clock_ticks_per_second() as f64, *many))
            }
        }
    }
}

/// The tightest quota on the way from our group to the root; `groups` is `/proc/self/cgroup`.
fn group_of(root: &Path, groups: &str) -> Option<Processors> {
    let ours = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    root.join(ours)
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
        .filter_map(|folder| {
            let many = quota(&std::fs::read_to_string(folder.join("cpu.max")).ok()?)?;
            Some((folder.to_owned(), many))
        })
        .min_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(folder, many)| Processors::Group { folder, many })
}

/// `200000 100000`: microseconds of a period, which is two processors; `max 100000` is no limit.
fn quota(max: &str) -> Option<f64> {
    let (quota, period) = max.trim().split_once(' ')?;
    let (quota, period) = (quota.parse::<f64>().ok()?, period.parse::<f64>().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

/// Busy and whole ticks of all processors since the boot.
fn machine(stat: &str) -> Option<Reading> {
    let first = stat.lines().next()?;
    let ticks: Vec<f64> = first.split_whitespace().skip(1).filter_map(|t| t.parse().ok()).collect();
    let had: f64 = ticks.iter().take(8).sum();
    // Idle, and idle while a disk is waited for.
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    Some(Reading { used: had - idle, had })
}

/// Seconds that a control group has used.
fn group(stat: &str) -> Option<f64> {
    let used = stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
    Some(used.trim().parse::<f64>().ok()? / 1e6)
}

/// Ticks that this process has used, by itself and in the kernel (proc(5): fields 14 and 15). Its name, in
/// parentheses, may hold anything.
fn process(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let (user, kernel) = (fields.next()?, fields.next()?);
    Some(user.parse::<f64>().ok()? + kernel.parse::<f64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_counters_are_read() {
        let began = Instant::now();
        let machine = Processors::Machine.read(began).unwrap();
        assert!(machine.used > 0.0 && machine.used < machine.had);
        let own = Processors::Own { many: 2.0 }.read(began).unwrap();
        assert!(own.used >= 0.0 && own.used < machine.used && own.had > 0.0, "{own:?}");
    }

    #[test]
    fn two_processors_of_a_quota_are_two_and_max_is_no_limit() {
        assert_eq!(quota("200000 100000\n"), Some(2.0));
        assert_eq!(quota("50000 100000"), Some(0.5));
        assert_eq!(quota("max 100000"), None);
        assert_eq!(quota(""), None);
    }

    #[test]
    fn the_tightest_quota_above_us_counts() {
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("pod/container");
        std::fs::create_dir_all(&ours).unwrap();
        assert_eq!(group_of(folder.path(), "0::/pod/container\n"), None);
        std::fs::write(folder.path().join("pod/cpu.max"), "150000 100000\n").unwrap();
        std::fs::write(ours.join("cpu.max"), "max 100000\n").unwrap();
        std::fs::write(folder.path().join("pod/cpu.stat"), "usage_usec 2500000\nuser_usec 1\n").unwrap();
        let found = group_of(folder.path(), "0::/pod/container\n").unwrap();
        assert_eq!(found, Processors::Group { folder: folder.path().join("pod"), many: 1.5 });
        assert_eq!(found.read(Instant::now()).unwrap().used, 2.5);
    }

    #[test]
    fn what_a_process_uses_is_read_past_a_name_with_parentheses() {
        let stat = "1 (a) b) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(process(stat), Some(300.0));
    }

    #[test]
    fn what_was_asked_for_counts_before_a_quota() {
        assert_eq!(Processors::found(Some(0.5)), Processors::Own { many: 0.5 });
    }
}
