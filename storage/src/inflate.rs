//! zstd without a context for every frame: setting one up costs more than most frames here.

use std::cell::RefCell;

use zstd::bulk::Decompressor;

thread_local! {
    static INFLATE: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The content of a frame, which may have at most so many bytes.
pub(crate) fn inflate(bytes: &[u8], bytes_max: usize) -> std::io::Result<Vec<u8>> {
    INFLATE.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            None => context.insert(Decompressor::new()?),
        };
        context.decompress(bytes, bytes_max)
    })
}
