#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <microhttpd.h>
#include <gnutls/gnutls.h>

/* Leaves percent escapes as they came: a signature covers the text that was sent. */
static size_t sealift_http_keep_escapes(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}

/* MHD_start_daemon has variable arguments, which Swift cannot call. pool_size 0: a thread for each connection.
   certificate NULL: without TLS; the texts are PEM and must live as long as the daemon. client_authority NULL: no
   certificates of clients are asked for. */
static inline struct MHD_Daemon *sealift_http_start(
    const struct sockaddr *address, unsigned int pool_size, unsigned int connections, unsigned int timeout_seconds,
    size_t connection_memory, const char *certificate, const char *key, const char *client_authority,
    MHD_AccessHandlerCallback handler, MHD_RequestCompletedCallback completed, void *context) {
    unsigned int flags = pool_size == 0 ? MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION
                                        : MHD_USE_EPOLL_INTERNAL_THREAD;
    if (address->sa_family == AF_INET6) flags |= MHD_USE_IPv6;
    struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)pool_size, NULL}, {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)certificate}, {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"},
        {client_authority == NULL ? MHD_OPTION_END : MHD_OPTION_HTTPS_MEM_TRUST, 0, (void *)client_authority},
        {MHD_OPTION_END, 0, NULL}};
    if (certificate != NULL) flags |= MHD_USE_TLS;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, handler, context,
        MHD_OPTION_SOCK_ADDR, address,
        MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_TIMEOUT, timeout_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_memory,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)1 << 20,
        MHD_OPTION_UNESCAPE_CALLBACK, &sealift_http_keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
        MHD_OPTION_ARRAY, pool_size > 1 ? pool : none,
        MHD_OPTION_ARRAY, certificate != NULL ? tls : none,
        MHD_OPTION_END);
}

/* The port the daemon listens on. */
static inline uint16_t sealift_http_port(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info == NULL ? 0 : info->port;
}

/* Whether the client of a connection has shown a certificate that an authority of the daemon vouches for. */
static inline int sealift_http_client_is_known(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == NULL || info->tls_session == NULL) return 0;
    gnutls_session_t session = (gnutls_session_t)info->tls_session;
    unsigned int count = 0, status = 1;
    if (gnutls_certificate_get_peers(session, &count) == NULL || count == 0) return 0;
    return gnutls_certificate_verify_peers2(session, &status) == 0 && status == 0;
}
