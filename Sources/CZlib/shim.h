#include <zlib.h>
#include <string.h>

// inflateInit2 is a macro. 15 + 16: the largest window, gzip framing.
static inline int cz_inflate_init_gzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }

// deflateInit2 is a macro. 15 + 16: the largest window, gzip framing.
static inline int cz_deflate_init_gzip(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}
