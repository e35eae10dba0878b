# What tls.pyx uses of OpenSSL 3; declarations only.
from libc.stddef cimport size_t
from libc.stdint cimport uint64_t
from libc.time cimport tm

cdef extern from "openssl/ssl.h" nogil:
    ctypedef struct SSL
    ctypedef struct SSL_CTX
    ctypedef struct SSL_METHOD
    ctypedef struct X509
    ctypedef struct X509_NAME
    ctypedef struct X509_NAME_ENTRY
    ctypedef struct X509_STORE
    ctypedef struct X509_VERIFY_PARAM
    ctypedef struct ASN1_TIME
    ctypedef struct ASN1_STRING
    ctypedef int (*pem_password_cb)(char* buf, int size, int rwflag, void* userdata) noexcept
    ctypedef int (*SSL_CTX_alpn_select_cb_func)(
        SSL* ssl, const unsigned char** out, unsigned char* outlen, const unsigned char* offered, unsigned int n,
        void* arg) noexcept
    ctypedef int (*SSL_client_hello_cb_fn)(SSL* ssl, int* alert, void* arg) noexcept

    enum:
        SSL_ERROR_SSL
        SSL_ERROR_SYSCALL
        SSL_ERROR_WANT_READ
        SSL_ERROR_WANT_WRITE
        SSL_ERROR_ZERO_RETURN
        SSL_FILETYPE_PEM
        SSL_VERIFY_PEER
        SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        SSL_MODE_ENABLE_PARTIAL_WRITE
        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
        SSL_MODE_RELEASE_BUFFERS
        SSL_SESS_CACHE_OFF
        SSL_SENT_SHUTDOWN
        SSL_RECEIVED_SHUTDOWN
        SSL_TLSEXT_ERR_OK
        SSL_TLSEXT_ERR_ALERT_FATAL
        SSL_CLIENT_HELLO_SUCCESS
        SSL_CLIENT_HELLO_ERROR
        SSL_AD_NO_APPLICATION_PROTOCOL
        TLSEXT_TYPE_application_layer_protocol_negotiation
        TLS1_2_VERSION
    uint64_t SSL_OP_NO_RENEGOTIATION
    uint64_t SSL_OP_NO_COMPRESSION
    uint64_t SSL_OP_CIPHER_SERVER_PREFERENCE
    uint64_t SSL_OP_IGNORE_UNEXPECTED_EOF

    const SSL_METHOD* TLS_server_method()
    const SSL_METHOD* TLS_client_method()
    SSL_CTX* SSL_CTX_new(const SSL_METHOD* method)
    int SSL_CTX_up_ref(SSL_CTX* ctx)
    void SSL_CTX_free(SSL_CTX* ctx)
    uint64_t SSL_CTX_set_options(SSL_CTX* ctx, uint64_t options)
    long SSL_CTX_set_mode(SSL_CTX* ctx, long mode)
    void SSL_CTX_set_security_level(SSL_CTX* ctx, int level)
    void SSL_CTX_set_read_ahead(SSL_CTX* ctx, int yes)
    int SSL_CTX_set_min_proto_version(SSL_CTX* ctx, int version)
    int SSL_CTX_set_cipher_list(SSL_CTX* ctx, const char* ciphers)
    long SSL_CTX_set_session_cache_mode(SSL_CTX* ctx, long mode)
    int SSL_CTX_set_session_id_context(SSL_CTX* ctx, const unsigned char* context, unsigned int n)
    void SSL_CTX_set_default_passwd_cb(SSL_CTX* ctx, pem_password_cb callback)
    int SSL_CTX_use_certificate_chain_file(SSL_CTX* ctx, const char* path)
    int SSL_CTX_use_PrivateKey_file(SSL_CTX* ctx, const char* path, int kind)
    X509* SSL_CTX_get0_certificate(const SSL_CTX* ctx)
    int SSL_CTX_load_verify_locations(SSL_CTX* ctx, const char* file, const char* directory)
    int SSL_CTX_set_default_verify_paths(SSL_CTX* ctx)
    void SSL_CTX_set_verify(SSL_CTX* ctx, int mode, void* callback)
    X509_VERIFY_PARAM* SSL_CTX_get0_param(SSL_CTX* ctx)
    int SSL_CTX_set_alpn_protos(SSL_CTX* ctx, const unsigned char* protocols, unsigned int n)
    void SSL_CTX_set_alpn_select_cb(SSL_CTX* ctx, SSL_CTX_alpn_select_cb_func callback, void* arg)
    void SSL_CTX_set_client_hello_cb(SSL_CTX* ctx, SSL_client_hello_cb_fn callback, void* arg)
    int SSL_client_hello_get0_ext(SSL* ssl, unsigned int kind, const unsigned char** out, size_t* outlen)

    SSL* SSL_new(SSL_CTX* ctx)
    void SSL_free(SSL* ssl)
    int SSL_set_fd(SSL* ssl, int fd)
    long SSL_set_tlsext_host_name(SSL* ssl, const char* name)
    void SSL_set_accept_state(SSL* ssl)
    void SSL_set_connect_state(SSL* ssl)
    int SSL_get_shutdown(const SSL* ssl)
    void SSL_set_shutdown(SSL* ssl, int mode)
    void SSL_set_quiet_shutdown(SSL* ssl, int yes)
    int SSL_get_quiet_shutdown(const SSL* ssl)
    int SSL_do_handshake(SSL* ssl)
    int SSL_is_init_finished(const SSL* ssl)
    int SSL_read_ex(SSL* ssl, void* out, size_t room, size_t* got)
    int SSL_write_ex(SSL* ssl, const void* data, size_t n, size_t* written)
    int SSL_has_pending(const SSL* ssl)
    int SSL_shutdown(SSL* ssl)
    int SSL_get_error(const SSL* ssl, int returned)
    void SSL_get0_alpn_selected(const SSL* ssl, const unsigned char** protocol, unsigned int* n)
    X509* SSL_get0_peer_certificate(const SSL* ssl)

    ctypedef struct X509_NAMES "STACK_OF(X509_NAME)"
    X509_NAMES* SSL_load_client_CA_file(const char* path)
    void SSL_CTX_set_client_CA_list(SSL_CTX* ctx, X509_NAMES* names)        # takes the names over

cdef extern from "openssl/err.h" nogil:
    unsigned long ERR_peek_error()
    const char* ERR_reason_error_string(unsigned long error)
    void ERR_clear_error()

cdef extern from "openssl/x509.h" nogil:
    enum:
        NID_commonName
        X509_V_FLAG_PARTIAL_CHAIN
    const ASN1_TIME* X509_get0_notBefore(const X509* certificate)
    const ASN1_TIME* X509_get0_notAfter(const X509* certificate)
    int X509_cmp_current_time(const ASN1_TIME* time)            # < 0: it has been
    X509_NAME* X509_get_subject_name(const X509* certificate)
    int X509_NAME_get_index_by_NID(X509_NAME* name, int nid, int after)
    X509_NAME_ENTRY* X509_NAME_get_entry(const X509_NAME* name, int at)
    ASN1_STRING* X509_NAME_ENTRY_get_data(const X509_NAME_ENTRY* entry)
    int X509_VERIFY_PARAM_set_flags(X509_VERIFY_PARAM* param, unsigned long flags)
    int X509_VERIFY_PARAM_set1_host(X509_VERIFY_PARAM* param, const char* name, size_t n)
    int X509_VERIFY_PARAM_set1_ip_asc(X509_VERIFY_PARAM* param, const char* address)

cdef extern from "openssl/x509v3.h" nogil:
    ctypedef struct GENERAL_NAME
    ctypedef struct GENERAL_NAMES
    enum:
        NID_subject_alt_name
        GEN_EMAIL
        GEN_DNS
        GEN_URI
        GEN_IPADD
    void* X509_get_ext_d2i(const X509* certificate, int nid, int* critical, int* index)
    int sk_GENERAL_NAME_num(const GENERAL_NAMES* names)
    GENERAL_NAME* sk_GENERAL_NAME_value(const GENERAL_NAMES* names, int i)
    void* GENERAL_NAME_get0_value(const GENERAL_NAME* name, int* kind)
    void GENERAL_NAMES_free(GENERAL_NAMES* names)

cdef extern from "openssl/asn1.h" nogil:
    int ASN1_STRING_length(const ASN1_STRING* string)
    const unsigned char* ASN1_STRING_get0_data(const ASN1_STRING* string)
    int ASN1_STRING_to_UTF8(unsigned char** out, const ASN1_STRING* string)         # length; < 0: no text
    void OPENSSL_free(void* p)
    int ASN1_TIME_to_tm(const ASN1_TIME* time, tm* out)
