# TLS on a non-blocking socket: contexts out of PEM files, the handshake, bytes in and out.
import os

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset
from libc.time cimport tm

from interceptor.dataplane.certificate cimport owner
from interceptor.dataplane.openssl cimport *

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    int pthread_mutex_init(pthread_mutex_t* lock, void* attributes)
    int pthread_mutex_destroy(pthread_mutex_t* lock)
    int pthread_mutex_lock(pthread_mutex_t* lock)
    int pthread_mutex_unlock(pthread_mutex_t* lock)

cdef struct Front:
    pthread_mutex_t lock
    SSL_CTX* ctx
    bint client
    char[256] name              # a client asks for it (SNI); empty: for an address there is no SNI (RFC 6066 section 3)

# RFC 9113 section 9.2.2 forbids what has no forward secrecy or no AEAD. Those of TLS 1.3 have both.
cdef const char* CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
cdef const char* H2 = b"\x02h2"


# ------------------------------------------------------------------------------------------------- a connection

cdef SSL* tls_begin(Front* front, int fd) noexcept nogil:
    cdef SSL_CTX* ctx
    cdef SSL* ssl
    ERR_clear_error()
    pthread_mutex_lock(&front.lock)
    ctx = front.ctx
    SSL_CTX_up_ref(ctx)
    pthread_mutex_unlock(&front.lock)
    ssl = SSL_new(ctx)
    SSL_CTX_free(ctx)           # `ssl` has its own reference
    if ssl == NULL:
        return NULL
    if not SSL_set_fd(ssl, fd):
        SSL_free(ssl)
        return NULL
    if not front.client:
        SSL_set_accept_state(ssl)
    elif front.name[0] and not SSL_set_tlsext_host_name(ssl, front.name):
        SSL_free(ssl)
        return NULL
    else:
        SSL_set_connect_state(ssl)
    return ssl


# What an operation that did not succeed came to.
cdef int outcome(SSL* ssl, int returned) noexcept nogil:
    cdef int error = SSL_get_error(ssl, returned)
    if error == SSL_ERROR_WANT_READ:
        return TLS_AGAIN_READ
    if error == SSL_ERROR_WANT_WRITE:
        return TLS_AGAIN_WRITE
    if error == SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED
    # Neither may be followed by a goodbye, and whoever asks again is to hear the same.
    if error == SSL_ERROR_SYSCALL and not SSL_get_quiet_shutdown(ssl):      # reset, or cut off
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        return TLS_CLOSED
    SSL_set_quiet_shutdown(ssl, 1)
    return TLS_FAILED


cdef int tls_handshake(SSL* ssl) noexcept nogil:
    cdef const unsigned char* protocol = NULL
    cdef unsigned int n = 0
    cdef int done
    ERR_clear_error()
    done = SSL_do_handshake(ssl)
    if done != 1:
        return outcome(ssl, done)
    SSL_get0_alpn_selected(ssl, &protocol, &n)
    if n != 2 or memcmp(protocol, H2 + 1, 2) != 0:      # a server that does not know ALPN; ours would not be here
        return TLS_FAILED
    return 1


cdef bint tls_holds(const SSL* ssl) noexcept nogil:
    return SSL_has_pending(ssl) != 0 or SSL_get_shutdown(ssl) != 0 or SSL_get_quiet_shutdown(ssl) != 0


# Until the SSL object has no more: of bytes in there epoll knows nothing.
cdef ssize_t tls_read(SSL* ssl, void* out, size_t room) noexcept nogil:
    cdef size_t have = 0, got = 0
    cdef int done
    while have < room and (have == 0 or SSL_has_pending(ssl)):
        ERR_clear_error()
        done = SSL_read_ex(ssl, <uint8_t*>out + have, room - have, &got)
        if done != 1:
            done = outcome(ssl, done)
            return <ssize_t>have if have else done      # an ending is there to be read again
        have += got
    return <ssize_t>have


cdef ssize_t tls_write(SSL* ssl, const void* data, size_t n) noexcept nogil:
    cdef size_t written = 0, took = 0
    cdef int done
    while written < n:
        ERR_clear_error()
        done = SSL_write_ex(ssl, <const uint8_t*>data + written, n - written, &took)
        if done != 1:
            done = outcome(ssl, done)
            return <ssize_t>written if written else done
        written += took
    return <ssize_t>written


cdef void tls_end(SSL* ssl) noexcept nogil:
    ERR_clear_error()
    if SSL_is_init_finished(ssl):
        SSL_shutdown(ssl)
    SSL_free(ssl)
    ERR_clear_error()


cdef size_t tls_peer_name(SSL* ssl, char* out, size_t room) noexcept nogil:
    cdef const X509* certificate = SSL_get0_peer_certificate(ssl)
    return 0 if certificate == NULL else owner(certificate, out, room)


# ------------------------------------------------------------------------------------------------- contexts

# A client that does not offer h2 is told so by the alert no_application_protocol (RFC 7301 section 3.2). OpenSSL asks
# `choose_h2` only if the client sent the extension, so `demand_alpn` looks for it.
cdef int choose_h2(SSL* ssl, const unsigned char** out, unsigned char* outlen, const unsigned char* offered,
                   unsigned int n, void* arg) noexcept nogil:
    cdef unsigned int i = 0
    while i + 3 <= n:
        if offered[i] == 2 and memcmp(offered + i, H2, 3) == 0:
            out[0], outlen[0] = offered + i + 1, 2
            return SSL_TLSEXT_ERR_OK
        i += 1 + offered[i]
    return SSL_TLSEXT_ERR_ALERT_FATAL


cdef int demand_alpn(SSL* ssl, int* alert, void* arg) noexcept nogil:
    cdef const unsigned char* extension
    cdef size_t n
    if SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &extension, &n):
        return SSL_CLIENT_HELLO_SUCCESS
    alert[0] = SSL_AD_NO_APPLICATION_PROTOCOL
    return SSL_CLIENT_HELLO_ERROR


# OpenSSL would ask on the terminal.
cdef int no_passphrase(char* out, int room, int writing, void* arg) noexcept nogil:
    return -1


cdef str reason():
    cdef const char* text = ERR_reason_error_string(ERR_peek_error())
    ERR_clear_error()
    return "unreadable" if text == NULL else (<bytes>text).decode()


cdef bytes readable(path):
    """`path` for C, once the file is known to open. Raises OSError."""
    with open(path, "rb"):
        return os.fsencode(path)


cdef str moment(const ASN1_TIME* time):
    cdef tm parts
    memset(&parts, 0, sizeof(tm))
    ASN1_TIME_to_tm(time, &parts)
    return (f"{parts.tm_year + 1900}-{parts.tm_mon + 1:02}-{parts.tm_mday:02} "
            f"{parts.tm_hour:02}:{parts.tm_min:02}:{parts.tm_sec:02} UTC")


cdef class Context:
    """An SSL_CTX on its way into a Front."""
    cdef SSL_CTX* ctx

    def __cinit__(self, bint client):
        ERR_clear_error()
        self.ctx = SSL_CTX_new(TLS_client_method() if client else TLS_server_method())
        if self.ctx == NULL:
            raise MemoryError(f"no TLS context: {reason()}")
        SSL_CTX_set_security_level(self.ctx, 2)
        if not (SSL_CTX_set_min_proto_version(self.ctx, TLS1_2_VERSION)
                and SSL_CTX_set_cipher_list(self.ctx, CIPHERS)):
            raise OSError(f"OpenSSL offers no TLS 1.2 with {CIPHERS.decode()}: {reason()}")
        # A connection that ends without close_notify has lost nothing: HTTP/2 and gRPC say themselves where they end.
        SSL_CTX_set_options(self.ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                            | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF)
        SSL_CTX_set_mode(self.ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                         | SSL_MODE_RELEASE_BUFFERS)
        SSL_CTX_set_read_ahead(self.ctx, 1)                         # else two reads a record
        SSL_CTX_set_session_cache_mode(self.ctx, SSL_SESS_CACHE_OFF)    # tickets alone: nothing to keep
        SSL_CTX_set_default_passwd_cb(self.ctx, no_passphrase)

    def __dealloc__(self):
        SSL_CTX_free(self.ctx)

    cdef int identify(self, certificate, key) except -1:
        """Takes a chain and its key."""
        cdef const ASN1_TIME* since
        cdef const ASN1_TIME* until
        cdef X509* own
        if SSL_CTX_use_certificate_chain_file(self.ctx, readable(certificate)) != 1:
            raise ValueError(f"{certificate}: no certificate chain that can be served ({reason()}): "
                             "give the certificate and its intermediates as PEM")
        own = SSL_CTX_get0_certificate(self.ctx)
        since, until = X509_get0_notBefore(own), X509_get0_notAfter(own)
        if X509_cmp_current_time(since) >= 0:
            raise ValueError(f"{certificate}: not valid before {moment(since)}: give one that is, or set the clock")
        if X509_cmp_current_time(until) <= 0:
            raise ValueError(f"{certificate}: expired at {moment(until)}: renew it")

        if SSL_CTX_use_PrivateKey_file(self.ctx, readable(key), SSL_FILETYPE_PEM) != 1:
            why = reason()
            if "mismatch" in why:
                raise ValueError(f"{key} is not the key of {certificate}: give the two that belong together")
            raise ValueError(f"{key}: no private key that can be used ({why}): give it as PEM, without a passphrase")
        return 0

    cdef int trust(self, authorities) except -1:
        """Takes the certificates that the other side's chain must end in, an intermediate one too."""
        if SSL_CTX_load_verify_locations(self.ctx, readable(authorities), NULL) != 1:
            raise ValueError(f"{authorities}: no CA certificates ({reason()}): give them as PEM")
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(self.ctx), X509_V_FLAG_PARTIAL_CHAIN)
        return 0


cdef Front* front_new(bint client) except NULL:
    cdef Front* front = <Front*>calloc(1, sizeof(Front))
    if front == NULL:
        raise MemoryError("no memory for a TLS context")
    pthread_mutex_init(&front.lock, NULL)
    front.client = client
    return front


cdef void front_free(Front* front) noexcept:
    if front != NULL:
        SSL_CTX_free(front.ctx)
        pthread_mutex_destroy(&front.lock)
        free(front)


# The context that was there goes with the last connection that has it.
cdef void front_take(Front* front, Context context) noexcept:
    cdef SSL_CTX* ctx = context.ctx
    pthread_mutex_lock(&front.lock)
    front.ctx, context.ctx = ctx, front.ctx
    pthread_mutex_unlock(&front.lock)


cdef class TlsServer:
    def __cinit__(self, certificate, key, clients=None):
        self.certificate, self.key, self.clients = certificate, key, clients
        self.front = front_new(False)
        self.reload()

    def __dealloc__(self):
        front_free(self.front)

    def reload(self):
        cdef Context context = Context(False)
        cdef X509_NAMES* names
        SSL_CTX_set_alpn_select_cb(context.ctx, choose_h2, NULL)
        SSL_CTX_set_client_hello_cb(context.ctx, demand_alpn, NULL)
        # Without it a client that shows a certificate could not come back with a ticket.
        SSL_CTX_set_session_id_context(context.ctx, b"interceptor", 11)
        context.identify(self.certificate, self.key)
        if self.clients is not None:
            context.trust(self.clients)
            names = SSL_load_client_CA_file(readable(self.clients))
            if names == NULL:
                raise ValueError(f"{self.clients}: no CA certificates ({reason()}): give them as PEM")
            SSL_CTX_set_client_CA_list(context.ctx, names)
            SSL_CTX_set_verify(context.ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL)
        front_take(self.front, context)


cdef class TlsClient:
    def __cinit__(self, ca, certificate, key, name):
        cdef Context context = Context(True)
        cdef bytes host = name.encode("idna") if not name.isascii() else name.encode()
        cdef X509_VERIFY_PARAM* param = SSL_CTX_get0_param(context.ctx)
        if not 0 < len(host) < 256 or b"\0" in host:
            raise ValueError(f"{name!r} is no name of a server: give the one its certificate has")
        if (certificate is None) != (key is None):
            raise ValueError("a client's certificate and its key go together: give both, or none")
        self.front = front_new(True)
        if not X509_VERIFY_PARAM_set1_ip_asc(param, host):
            if not X509_VERIFY_PARAM_set1_host(param, host, len(host)):
                raise MemoryError("no memory for a TLS context")
            memcpy(self.front.name, <const char*>host, len(host))
        if certificate is not None:
            context.identify(certificate, key)
        if ca is not None:
            context.trust(ca)
        elif not SSL_CTX_set_default_verify_paths(context.ctx):
            raise OSError(f"the system's CA certificates cannot be read ({reason()}): name a CA file")
        SSL_CTX_set_verify(context.ctx, SSL_VERIFY_PEER, NULL)
        SSL_CTX_set_alpn_protos(context.ctx, <const unsigned char*>H2, 3)
        front_take(self.front, context)

    def __dealloc__(self):
        front_free(self.front)


cdef class TlsProbe:
    cdef SSL* ssl

    def __cinit__(self, end, int fd):
        self.ssl = tls_begin((<TlsServer?>end).front if isinstance(end, TlsServer) else (<TlsClient?>end).front, fd)
        if self.ssl == NULL:
            raise MemoryError("no memory for a TLS connection")

    def __dealloc__(self):
        if self.ssl != NULL:
            SSL_free(self.ssl)

    def handshake(self):
        cdef int done
        with nogil:
            done = tls_handshake(self.ssl)
        return done

    def read(self, size_t room):
        cdef bytearray out = bytearray(room)
        cdef char* to = out
        cdef ssize_t n
        with nogil:
            n = tls_read(self.ssl, to, room)
        return bytes(out[:n]) if n > 0 else n

    def write(self, bytes data):
        cdef const char* at = data
        cdef size_t n = len(data)
        cdef ssize_t done
        with nogil:
            done = tls_write(self.ssl, at, n)
        return done

    def peer(self):
        cdef char[256] name
        cdef size_t n = tls_peer_name(self.ssl, name, sizeof(name))
        return name[:n].decode()

    def close(self):
        tls_end(self.ssl)
        self.ssl = NULL
