#include <zlib.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

// inflateInit2 is a macro. 15 + 16: the largest window, gzip framing.
static inline int cz_inflate_init_gzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }

// deflateInit2 is a macro. 15 + 16: the largest window, gzip framing.
static inline int cz_deflate_init_gzip(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

// Memory that is overwritten before it is given back, for streams of which nobody is to find a trace.
static inline voidpf cz_allocate(voidpf opaque, uInt items, uInt size) {
    (void)opaque;
    return calloc(items, size);
}
static inline void cz_erase_and_free(voidpf opaque, voidpf address) {
    (void)opaque;
    if (address) explicit_bzero(address, malloc_usable_size(address));
    free(address);
}
static inline void cz_use_erased_memory(z_stream *stream) {
    stream->zalloc = cz_allocate;
    stream->zfree = cz_erase_and_free;
}
static inline void cz_erase(void *address, size_t count) {
    if (address) explicit_bzero(address, count);
}
