//! What fanotify writes into its descriptor (fanotify(7)): events, each followed by records that name the directory by
//! its file handle and the file by its name.

/// FAN_MODIFY and its like, as far as they are asked for.
pub(crate) mod mask {
    pub const MODIFY: u64 = 0x2;
    pub const ATTRIB: u64 = 0x4;
    pub const CLOSE_WRITE: u64 = 0x8;
    pub const MOVED_FROM: u64 = 0x40;
    pub const MOVED_TO: u64 = 0x80;
    pub const CREATE: u64 = 0x100;
    pub const DELETE: u64 = 0x200;
    pub const DELETE_SELF: u64 = 0x400;
    pub const MOVE_SELF: u64 = 0x800;
    pub const OVERFLOW: u64 = 0x4000;
    pub const ON_DIR: u64 = 0x4000_0000;
}

/// FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME less the first: directory and name are enough.
pub(crate) const REPORT_DFID_NAME: u32 = 0x400 | 0x800;

const METADATA_LEN: usize = 24;
const METADATA_VERSION: u8 = 3;
const INFO_HEADER_LEN: usize = 4;
const FSID_LEN: usize = 8;
/// Directory and name, and directory alone.
const INFO_TYPES: [u8; 2] = [2, 3];

/// A file handle as the kernel writes it: its type and its bytes.
pub(crate) type FileHandle = (i32, Vec<u8>);

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub mask: u64,
    pub pid: i32,
    /// The directory; `None` if the kernel could not tell.
    pub dir: Option<FileHandle>,
    /// Name in it; empty if the event is about the directory itself.
    pub name: Vec<u8>,
}

/// Takes the events out of what was read. What does not parse ends the list; the second part is false then.
pub(crate) fn parse(mut bytes: &[u8]) -> (Vec<Event>, bool) {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let Some((event, len)) = parse_one(bytes) else { return (events, false) };
        events.push(event);
        bytes = &bytes[len..];
    }
    (events, true)
}

fn parse_one(bytes: &[u8]) -> Option<(Event, usize)> {
    let len = u32::from_ne_bytes(take(bytes, 0)?) as usize;
    let metadata_len = usize::from(u16::from_ne_bytes(take(bytes, 6)?));
    if *bytes.get(4)? != METADATA_VERSION || metadata_len < METADATA_LEN || len < metadata_len {
        return None;
    }
    let mask = u64::from_ne_bytes(take(bytes, 8)?);
    let pid = i32::from_ne_bytes(take(bytes, 20)?);
    let mut event = Event { mask, pid, ..Event::default() };
    let mut infos = bytes.get(metadata_len..len)?;
    while !infos.is_empty() {
        let info_len = usize::from(u16::from_ne_bytes(take(infos, 2)?));
        if info_len < INFO_HEADER_LEN {
            return None;
        }
        let info = infos.get(..info_len)?;
        if INFO_TYPES.contains(&info[0]) {
            let handle = info.get(INFO_HEADER_LEN + FSID_LEN..)?;
            let handle_len = u32::from_ne_bytes(take(handle, 0)?) as usize;
            let kind = i32::from_ne_bytes(take(handle, 4)?);
            let rest = handle.get(8..)?;
            event.dir = Some((kind, rest.get(..handle_len)?.to_vec()));
            let name = rest.get(handle_len..)?;
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            event.name = if &name[..end] == b"." { Vec::new() } else { name[..end].to_vec() };
        }
        infos = &infos[info_len..];
    }
    Some((event, len))
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Inode and handle of each mark, from `/proc/self/fdinfo` of the descriptor (proc(5), "fanotify files").
pub(crate) fn marks(fdinfo: &str) -> Vec<(u64, FileHandle)> {
    fdinfo.lines().filter_map(mark).collect()
}

fn mark(line: &str) -> Option<(u64, FileHandle)> {
    let words = line.strip_prefix("fanotify ")?;
    let field = |name: &str| words.split(' ').find_map(|word| word.strip_prefix(name));
    let inode = u64::from_str_radix(field("ino:")?, 16).ok()?;
    let kind = i32::from_str_radix(field("fhandle-type:")?, 16).ok()?;
    let hex = field("f_handle:")?;
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
    Some((inode, (kind, bytes?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(mask: u64, pid: i32, name: &[u8]) -> Vec<u8> {
        let mut info = vec![2, 0, 0, 0];
        info.extend([9; FSID_LEN]);
        info.extend(8_u32.to_ne_bytes());
        info.extend(1_i32.to_ne_bytes());
        info.extend([7; 8]);
        info.extend(name);
        info.push(0);
        info.resize(info.len().next_multiple_of(4), 0);
        let info_len = (info.len() as u16).to_ne_bytes();
        info[2..4].copy_from_slice(&info_len);
        let mut bytes = Vec::new();
        bytes.extend(((METADATA_LEN + info.len()) as u32).to_ne_bytes());
        bytes.extend([METADATA_VERSION, 0]);
        bytes.extend((METADATA_LEN as u16).to_ne_bytes());
        bytes.extend(mask.to_ne_bytes());
        bytes.extend((-1_i32).to_ne_bytes());
        bytes.extend(pid.to_ne_bytes());
        bytes.extend(info);
        bytes
    }

    #[test]
    fn events_are_taken_apart_and_cut_ones_end_the_list() {
        let mut bytes = event(mask::MODIFY, 42, b"000.p");
        bytes.extend(event(mask::DELETE_SELF | mask::ON_DIR, 43, b"."));
        let (events, whole) = parse(&bytes);
        assert!(whole);
        let handle = Some((1, vec![7; 8]));
        let first = Event { mask: mask::MODIFY, pid: 42, dir: handle.clone(), name: b"000.p".to_vec() };
        let second = Event { mask: mask::DELETE_SELF | mask::ON_DIR, pid: 43, dir: handle, name: Vec::new() };
        assert_eq!(events, [first, second]);
        let first_len = event(mask::MODIFY, 42, b"000.p").len();
        for end in 1..bytes.len() {
            let (events, whole) = parse(&bytes[..end]);
            assert_eq!((events.len(), whole), (usize::from(end >= first_len), end == first_len), "{end}");
        }
    }

    #[test]
    fn marks_are_read_as_proc_writes_them() {
        let text = "pos:\t0\nflags:\t02\nfanotify flags:10 event-flags:0\n\
                    fanotify ino:4f969 sdev:800013 mflags:0 mask:3b ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:69f90400c275b5b4\n";
        let handle = (1, vec![0x69, 0xf9, 0x04, 0x00, 0xc2, 0x75, 0xb5, 0xb4]);
        assert_eq!(marks(text), [(0x4f969, handle)]);
        assert!(marks("fanotify ino:zz").is_empty());
    }
}
