#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// The parameter macros of OpenSSL's MACs do not arrive in Swift.
static inline int sealift_mac_use_sha256(EVP_MAC_CTX *context, const unsigned char *key, size_t count) {
    char name[] = "SHA256";
    OSSL_PARAM parameters[2] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_init(context, key, count, parameters);
}

// Macros of libssl that do not arrive in Swift.
static inline int sealift_tls_from_1_2(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}
static inline int sealift_tls_set_server_name(SSL *session, const char *name) {
    return (int)SSL_set_tlsext_host_name(session, name);
}

// One message of AES-GCM with a nonce of 12 bytes and a tag of 16. `context` has its cipher and key.
// 1 if the tag is right; 0 if it is not; -1 if the library refuses. What is decrypted goes through `scratch` piece by piece,
// or, where `keeps` is set, all of it into `scratch`, which then has room for `count` bytes.
static inline int sealift_gcm_open(
    EVP_CIPHER_CTX *context, const unsigned char *nonce, const unsigned char *additional, int additional_count,
    const unsigned char *body, size_t count, const unsigned char *tag, unsigned char *scratch, size_t room, int keeps) {
    int made = 0;
    if (EVP_DecryptInit_ex(context, NULL, NULL, NULL, nonce) != 1) return -1;
    if (additional_count > 0 && EVP_DecryptUpdate(context, NULL, &made, additional, additional_count) != 1) return -1;
    while (count > 0) {
        int piece = count < room ? (int)count : (int)room;
        if (EVP_DecryptUpdate(context, scratch, &made, body, piece) != 1) return -1;
        body += piece;
        count -= (size_t)piece;
        if (keeps) {
            scratch += piece;
            room -= (size_t)piece;
        }
    }
    OSSL_PARAM expected[2] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, (void *)tag, 16),
        OSSL_PARAM_construct_end(),
    };
    if (EVP_CIPHER_CTX_set_params(context, expected) != 1) return -1;
    unsigned char end[16];
    return EVP_DecryptFinal_ex(context, end, &made) == 1;
}
static inline int sealift_gcm_seal(
    EVP_CIPHER_CTX *context, const unsigned char *nonce, const unsigned char *additional, int additional_count,
    const unsigned char *plain, int count, unsigned char *body, unsigned char *tag) {
    int made = 0;
    if (EVP_EncryptInit_ex(context, NULL, NULL, NULL, nonce) != 1) return -1;
    if (additional_count > 0 && EVP_EncryptUpdate(context, NULL, &made, additional, additional_count) != 1) return -1;
    if (count > 0 && EVP_EncryptUpdate(context, body, &made, plain, count) != 1) return -1;
    unsigned char end[16];
    if (EVP_EncryptFinal_ex(context, end, &made) != 1) return -1;
    return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1 ? 1 : -1;
}
