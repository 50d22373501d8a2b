//! What the process itself takes, by the names that every exporter of processes has.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Ticks of the clock that the kernel counts processor time in; fixed on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// This process, as the kernel accounts for it.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (name, help) = ("tidings_cores", "Processor cores that the server may use");
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        let cores = i64::try_from(cores).unwrap_or(i64::MAX);
        ConstGauge::new(cores).encode(metric)?;
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let Some(ticks) = processor_ticks(&stat) else { return Ok(()) };
        let (name, help) = ("process_cpu_seconds", "Processor time, in user and kernel mode");
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        let seconds = ticks as f64 / TICKS_PER_SECOND;
        ConstCounter::new(seconds).encode(metric)?;
        let (name, help) = ("process_resident_memory_bytes", "Memory that the process holds");
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        ConstGauge::new(resident_bytes(&status).unwrap_or_default()).encode(metric)
    }
}

/// Ticks of processor time in a line of `/proc/<pid>/stat` (proc(5)).
fn processor_ticks(stat: &str) -> Option<u64> {
    // The name of the program may hold anything; fields are counted from its closing parenthesis.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut number = || fields.next()?.parse::<u64>().ok();
    Some(number()? + number()?)
}

/// Resident bytes in `/proc/<pid>/status`.
fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read_behind_any_name() {
        let line = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0 77 1000 33 rest";
        assert_eq!(processor_ticks(line), Some(300));
        assert_eq!(processor_ticks("7 (x) S 1"), None);
        assert_eq!(resident_bytes("Name: x\nVmRSS:\t  12 kB\n"), Some(12_288));
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        assert!(resident_bytes(&own).unwrap() > 0);
    }
}
