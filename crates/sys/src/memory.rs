//! Memory that this process no longer needs.

use libc::{c_int, c_void, dl_phdr_info, size_t};

/// Takes the read-only parts of this program out of this process's memory; what is needed again is mapped again, page
/// by page, from the file. For a process that has done a lot and from now on does little.
///
/// Starting a container touches most of the program, and waiting for its end a tenth: this is 1.5 MB per supervisor.
pub fn forget_program() {
    // SAFETY: the callback keeps to the contract of dl_iterate_phdr(3) and does not unwind.
    #[expect(unsafe_code, reason = "only the loader knows where the program lies")]
    unsafe {
        libc::dl_iterate_phdr(Some(forget_object), std::ptr::null_mut())
    };
}

/// Called for each object that is loaded; a static program is one.
extern "C" fn forget_object(info: *mut dl_phdr_info, _size: size_t, _data: *mut c_void) -> c_int {
    // SAFETY: the loader passes a valid description, which outlives the call.
    #[expect(unsafe_code, reason = "a pointer from the loader")]
    let info = unsafe { &*info };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: pointer and number describe the program headers, which are mapped as long as the program is.
    #[expect(unsafe_code, reason = "a pointer and a length from the loader")]
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    for header in headers {
        if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0 {
            forget(info.dlpi_addr + header.p_vaddr, header.p_memsz);
        }
    }
    0
}

fn forget(start: u64, length: u64) {
    let page = rustix::param::page_size() as u64;
    let first = start - start % page;
    let end = (start + length).next_multiple_of(page);
    let (Ok(address), Ok(length)) = (usize::try_from(first), usize::try_from(end - first)) else { return };
    // SAFETY: a segment that is loaded without the right to write has the content of its file as long as it is mapped,
    // so that dropping its pages changes nothing that can be observed: they are read from the file again.
    #[expect(unsafe_code, reason = "madvise takes an address")]
    unsafe {
        libc::madvise(std::ptr::with_exposed_provenance_mut(address), length, libc::MADV_DONTNEED)
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_program_goes_on() {
        let before = std::hint::black_box("constants are still there");
        super::forget_program();
        assert_eq!(before.len(), 25);
    }
}
