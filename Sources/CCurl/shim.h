#include <curl/curl.h>

// curl_easy_setopt and curl_easy_getinfo take variable arguments, which do not arrive in Swift: one function per type.
typedef size_t (*sealift_curl_write)(char *bytes, size_t size, size_t count, void *context);
typedef int (*sealift_curl_progress)(
    void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up);

static inline CURLcode sealift_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sealift_curl_set_size(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sealift_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sealift_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}
// curl keeps a copy. No bytes are none: curl takes an empty blob for an error of the caller's.
static inline CURLcode sealift_curl_set_blob(CURL *handle, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob = {.data = (void *)bytes, .len = count, .flags = CURL_BLOB_COPY};
    return curl_easy_setopt(handle, option, &blob);
}
static inline CURLcode sealift_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sealift_curl_set_write(CURL *handle, CURLoption option, sealift_curl_write value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sealift_curl_set_progress(CURL *handle, sealift_curl_progress value) {
    return curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, value);
}
static inline CURLcode sealift_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}
static inline CURLcode sealift_curl_get_size(CURL *handle, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(handle, info, value);
}
static inline CURLcode sealift_curl_start(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT);
}
