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

// A new key on P-521.
static inline EVP_PKEY *sealift_p521_key(void) { return EVP_EC_gen("P-521"); }

static inline int sealift_add_extension(X509 *certificate, X509V3_CTX *context, int kind, const char *value) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, kind, value);
    if (extension == NULL) return 0;
    int isAdded = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return isAdded;
}

// A certificate for a name that its own key has signed with SHA-512: an authority, and of servers and clients at once, valid
// from 30 seconds ago for so many days. NULL, or DER that is freed with sealift_free; its length is in *count.
static inline unsigned char *sealift_own_certificate(EVP_PKEY *key, const char *name, const char *san, int days, int *count) {
    unsigned char *der = NULL;
    X509 *certificate = X509_new();
    BIGNUM *serial = BN_new();
    *count = 0;
    if (certificate != NULL && serial != NULL) {
        X509_NAME *subject = X509_get_subject_name(certificate);
        X509V3_CTX context;
        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
        if (X509_set_version(certificate, 2) == 1 && BN_rand(serial, 63, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1
            && BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != NULL
            && X509_gmtime_adj(X509_getm_notBefore(certificate), -30) != NULL
            && X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, NULL) != NULL
            && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1
            && X509_set_issuer_name(certificate, subject) == 1 && X509_set_pubkey(certificate, key) == 1
            && sealift_add_extension(
                certificate, &context, NID_key_usage, "critical,digitalSignature,keyAgreement,keyCertSign") == 1
            && sealift_add_extension(certificate, &context, NID_ext_key_usage, "serverAuth,clientAuth") == 1
            && sealift_add_extension(certificate, &context, NID_basic_constraints, "critical,CA:TRUE") == 1
            && sealift_add_extension(certificate, &context, NID_subject_key_identifier, "hash") == 1
            && sealift_add_extension(certificate, &context, NID_subject_alt_name, san) == 1
            && X509_sign(certificate, key, EVP_sha512()) > 0) {
            *count = i2d_X509(certificate, &der);
        }
    }
    X509_free(certificate);
    BN_free(serial);
    return *count > 0 ? der : NULL;
}

// A coordinate of a public key ("qx", "qy") in decimal; NULL, or a text that is freed with sealift_free.
static inline char *sealift_key_decimal(const EVP_PKEY *key, const char *part) {
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(key, part, &number) != 1) return NULL;
    char *text = BN_bn2dec(number);
    BN_free(number);
    return text;
}

// The private key of P-521 in decimal, into room for 160 digits; how many there are, or 0. BN_bn2dec would leave its parts in
// memory that was given back.
static inline int sealift_private_decimal(const EVP_PKEY *key, unsigned char *digits) {
    unsigned char bytes[66];
    BIGNUM *number = NULL;
    int count = 0;
    if (EVP_PKEY_get_bn_param(key, "priv", &number) == 1 && BN_bn2binpad(number, bytes, sizeof bytes) == (int)sizeof bytes) {
        for (int isZero = 0; !isZero && count < 160;) {
            unsigned rest = 0;
            isZero = 1;
            for (size_t place = 0; place < sizeof bytes; place++) {
                unsigned value = rest << 8 | bytes[place];
                bytes[place] = (unsigned char)(value / 10);
                rest = value % 10;
                if (bytes[place] != 0) isZero = 0;
            }
            digits[count++] = (unsigned char)('0' + rest);
        }
        for (int low = 0, high = count - 1; low < high; low++, high--) {
            unsigned char digit = digits[low];
            digits[low] = digits[high];
            digits[high] = digit;
        }
    }
    BN_clear_free(number);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return count;
}

static inline void sealift_free(void *memory) { OPENSSL_free(memory); }
