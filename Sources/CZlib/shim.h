#include <zlib.h>
#include <string.h>

// inflateInit2 is a macro. 15 + 16: the largest window, gzip framing.
static inline int cz_inflate_init_gzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
