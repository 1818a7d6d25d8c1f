//! What this process runs from, as the kernel tells others: `/proc/PID/exe`.
//!
//! A process that is about to become a container's can be made to execute its own `/proc/self/exe`, and what then runs
//! in the container can open that file for writing (CVE-2019-5736). A process that has left its file has nothing to
//! offer there: the link leads to an empty file in memory that is sealed. Unlike a second start from a copy of the
//! whole program, this costs no exec, and no page of the program is copied that is not written anyway.
//!
//! The kernel exchanges the file (`prctl(2)`, `PR_SET_MM_MAP`) only once no mapping has the *path* of the old one. So
//! the segments that are read are mapped anew from the same inode through another mount, a detached copy; those that
//! are written become anonymous.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use libc::{c_int, c_void, dl_phdr_info, size_t};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MremapFlags, ProtFlags};
use rustix::mount::OpenTreeFlags;

use crate::memfd;

/// Makes `/proc/self/exe` lead to an empty, sealed file in memory, for this process and those cloned from it.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`, `EINVAL` where the kernel has no `CONFIG_CHECKPOINT_RESTORE` or the file lies in
/// another mount namespace, `ENOSYS` before Linux 5.2. The process goes on as before.
pub fn leave_file() -> Result<(), Errno> {
    let file = through_another_mount()?;
    let addresses = Addresses::read()?;
    let nothing = memfd::sealed("phial-runtime", &[])?;
    for segment in Segments::of_this_program().iter() {
        segment.map_anew(&file)?;
    }
    addresses.exchange(&nothing)
}

/// This program's file, opened through a copy of its mount that is attached nowhere.
fn through_another_mount() -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, c"/proc/self/exe", flags)?;
    let path = format!("/proc/self/fd/{}", tree.as_raw_fd());
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// A part of the program that is mapped from its file, in whole pages.
#[derive(Debug, Clone, Copy)]
struct Segment {
    start: usize,
    length: usize,
    /// Where it lies in the file.
    offset: u64,
    flags: u32,
}

impl Segment {
    const NONE: Segment = Segment { start: 0, length: 0, offset: 0, flags: 0 };

    fn address(&self) -> *mut c_void {
        std::ptr::with_exposed_provenance_mut(self.start)
    }

    fn map_anew(&self, file: &OwnedFd) -> Result<(), Errno> {
        if self.flags & libc::PF_W != 0 { self.become_anonymous() } else { self.map_from(file) }
    }

    fn map_from(&self, file: &OwnedFd) -> Result<(), Errno> {
        let execute = if self.flags & libc::PF_X == 0 { ProtFlags::empty() } else { ProtFlags::EXEC };
        let (rights, flags) = (ProtFlags::READ | execute, MapFlags::PRIVATE | MapFlags::FIXED);
        // SAFETY: what is mapped there has the content of the same pages of the same file, because it was never
        // writable; the kernel replaces it in one step.
        #[expect(unsafe_code, reason = "memory of the program itself is mapped anew")]
        unsafe { rustix::mm::mmap(self.address(), self.length, rights, flags, file.as_fd(), self.offset) }.map(drop)
    }

    /// The copy takes the place of the original. Nothing may be written to it in between, so nothing is called that
    /// could.
    fn become_anonymous(&self) -> Result<(), Errno> {
        let rights = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses.
        #[expect(unsafe_code, reason = "memory is made")]
        let copy = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), self.length, rights, MapFlags::PRIVATE) }?;
        // SAFETY: both are mapped, as long as said, and do not overlap; this process has one thread.
        #[expect(unsafe_code, reason = "the program's data is copied as bytes")]
        unsafe {
            std::ptr::copy_nonoverlapping(self.address().cast::<u8>(), copy.cast::<u8>(), self.length);
        }
        let flags = MremapFlags::MAYMOVE;
        // SAFETY: the copy has the content of what it replaces, and the kernel replaces it in one step.
        #[expect(unsafe_code, reason = "memory of the program itself is replaced")]
        unsafe { rustix::mm::mremap_fixed(copy, self.length, self.length, flags, self.address()) }.map(drop)
    }
}

/// The segments of this program. A program of ours has four or five.
struct Segments {
    list: [Segment; Segments::MOST],
    count: usize,
}

impl Segments {
    const MOST: usize = 16;

    fn of_this_program() -> Segments {
        let mut segments = Segments { list: [Segment::NONE; Segments::MOST], count: 0 };
        // SAFETY: the callback keeps to the contract of dl_iterate_phdr(3), does not unwind, and the pointer it gets
        // is that of `segments`, which nothing else uses meanwhile.
        #[expect(unsafe_code, reason = "only the loader knows where the program lies")]
        unsafe {
            libc::dl_iterate_phdr(Some(add_object), (&raw mut segments).cast())
        };
        segments
    }

    fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.list.iter().take(self.count)
    }

    fn add(&mut self, base: u64, header: &libc::Elf64_Phdr) {
        let page = rustix::param::page_size();
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let address = number(base + header.p_vaddr);
        let start = address - address % page;
        // Behind what the file has lie zeroed pages that are anonymous already.
        let end = (address + number(header.p_filesz)).next_multiple_of(page);
        if let Some(entry) = self.list.get_mut(self.count) {
            let offset = header.p_offset - (header.p_vaddr - (header.p_vaddr - header.p_vaddr % page as u64));
            *entry = Segment { start, length: end - start, offset, flags: header.p_flags };
            self.count += 1;
        }
    }
}

/// Called for each object that is loaded; a static program is one.
extern "C" fn add_object(info: *mut dl_phdr_info, _size: size_t, segments: *mut c_void) -> c_int {
    // SAFETY: the loader passes a valid description, which outlives the call.
    #[expect(unsafe_code, reason = "a pointer from the loader")]
    let info = unsafe { &*info };
    // SAFETY: it is the pointer that `of_this_program` gave, used by nobody else during the call.
    #[expect(unsafe_code, reason = "the loader hands back a pointer of ours")]
    let segments = unsafe { &mut *segments.cast::<Segments>() };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: pointer and number describe the program headers, which are mapped as long as the program is.
    #[expect(unsafe_code, reason = "a pointer and a length from the loader")]
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_filesz > 0) {
        segments.add(info.dlpi_addr, header);
    }
    0
}

/// What the kernel keeps about the address space (`struct prctl_mm_map` of `linux/prctl.h`). All of it is set at once,
/// so it is read first and given back unchanged, but for the file.
#[repr(C)]
struct Addresses {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    /// None: the auxiliary vector stays.
    auxv: u64,
    auxv_size: u32,
    exe_fd: u32,
}

impl Addresses {
    /// Fields of `/proc/self/stat`, counted as in `proc_pid_stat(5)`.
    fn read() -> Result<Addresses, Errno> {
        let text = crate::file::read(CWD, c"/proc/self/stat")?;
        // The name, field 2, is in parentheses and may hold anything.
        let end = text.iter().rposition(|byte| *byte == b')').ok_or(Errno::INVAL)?;
        let text = std::str::from_utf8(&text[end + 1..]).map_err(|_| Errno::INVAL)?;
        let fields: Vec<u64> = text.split_ascii_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
        let field = |number: usize| fields.get(number - 3).copied().ok_or(Errno::INVAL);
        // SAFETY: without an address brk only tells the end of the heap.
        #[expect(unsafe_code, reason = "no library has the raw call")]
        let brk = unsafe { libc::syscall(libc::SYS_brk, 0) };
        Ok(Addresses {
            start_code: field(26)?,
            end_code: field(27)?,
            start_stack: field(28)?,
            start_data: field(45)?,
            end_data: field(46)?,
            start_brk: field(47)?,
            brk: brk.cast_unsigned(),
            arg_start: field(48)?,
            arg_end: field(49)?,
            env_start: field(50)?,
            env_end: field(51)?,
            auxv: 0,
            auxv_size: 0,
            exe_fd: u32::MAX,
        })
    }

    fn exchange(mut self, file: &OwnedFd) -> Result<(), Errno> {
        self.exe_fd = u32::try_from(file.as_raw_fd()).map_err(|_| Errno::BADF)?;
        // SAFETY: the structure is as long as said and read only; all addresses are those that the kernel has.
        #[expect(unsafe_code, reason = "no library has PR_SET_MM_MAP")]
        let result = unsafe {
            libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP, &raw const self, size_of::<Addresses>(), 0_usize)
        };
        if result == 0 { Ok(()) } else { Err(crate::exec::last_errno()) }
    }
}

#[cfg(test)]
mod tests {
    /// In a child, because the test program has threads.
    #[test]
    fn the_file_is_left_and_the_program_goes_on() {
        static MUTABLE: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(7);
        MUTABLE.store(8, std::sync::atomic::Ordering::Relaxed);
        // SAFETY: the child makes system calls and ends; it takes no lock that another thread could hold.
        #[expect(unsafe_code, reason = "a process of its own")]
        let child = unsafe {
            crate::clone::fork(|| {
                let left = super::leave_file();
                let kept = MUTABLE.load(std::sync::atomic::Ordering::Relaxed) == 8;
                let link = std::fs::read_link("/proc/self/exe").unwrap_or_default();
                let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
                let gone = link.to_string_lossy().contains("memfd:") && !maps.is_empty();
                i32::from(!(left.is_ok() && kept && gone))
            })
        };
        let child = child.expect("fork");
        let status = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty()).expect("wait");
        assert_eq!(status.and_then(|(_, status)| status.exit_status()), Some(0));
    }
}
