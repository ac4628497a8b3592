//! The process itself, as Prometheus' client libraries name it, from `/proc` (proc(5)).

use std::fs;

use super::page::{Page, Type, number};

/// Bytes of a page in `/proc/self/statm` on every platform this runs on.
const PAGE: u64 = 4096;

pub(super) fn families(page: &mut Page) {
    let memory = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut pages = memory.split(' ').filter_map(|word| word.trim().parse::<u64>().ok());
    if let (Some(virtual_), Some(resident)) = (pages.next(), pages.next()) {
        page.family("process_resident_memory_bytes", Type::Gauge, "Memory held, in bytes.")
            .sample(&[], number(resident * PAGE));
        page.family("process_virtual_memory_bytes", Type::Gauge, "Address space, in bytes.")
            .sample(&[], number(virtual_ * PAGE));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        page.family("process_open_fds", Type::Gauge, "Open file descriptors.")
            .sample(&[], number(open.count() as u64));
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    if let Some(soft) = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()) {
        page.family("process_max_fds", Type::Gauge, "Most file descriptors that may be open.")
            .sample(&[], number(soft));
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:"));
    if let Some(threads) = line.and_then(|line| line.trim().parse::<u64>().ok()) {
        page.family("process_threads", Type::Gauge, "Threads.").sample(&[], number(threads));
    }
}
