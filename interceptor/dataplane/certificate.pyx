# Reads the name of a certificate's owner out of its subject alternative names, or its subject.
from libc.string cimport memcpy, strlen

from interceptor.dataplane.openssl cimport *

cdef extern from "arpa/inet.h" nogil:
    enum:
        AF_INET
        AF_INET6
    const char* inet_ntop(int family, const void* address, char* out, unsigned int room)


# Copies a name that shows what it is: UTF-8 without control characters (C0, DEL, C1). 0: it is none of that.
cdef size_t plain(const unsigned char* text, int n, char* out, size_t room) noexcept nogil:
    cdef int i
    if n <= 0 or <size_t>n > room:
        return 0
    for i in range(n):
        if text[i] < 0x20 or text[i] == 0x7F:
            return 0
        if text[i] == 0xC2 and i + 1 < n and text[i + 1] < 0xA0:
            return 0
    memcpy(out, text, <size_t>n)
    return <size_t>n


# The first name of the kinds that gRPC takes for a peer's identity, in the certificate's order. True if there is one.
cdef bint alternative_name(const X509* certificate, char* out, size_t room, size_t* length) noexcept nogil:
    cdef GENERAL_NAMES* names = <GENERAL_NAMES*>X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL)
    cdef const ASN1_STRING* value
    cdef const unsigned char* data
    cdef char[64] address
    cdef bint found = False
    cdef int i, j, n, kind = 0
    if names == NULL:
        return False
    for i in range(sk_GENERAL_NAME_num(names)):
        value = <const ASN1_STRING*>GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind)
        if kind != GEN_DNS and kind != GEN_URI and kind != GEN_EMAIL and kind != GEN_IPADD:
            continue
        found = True
        data, n = ASN1_STRING_get0_data(value), ASN1_STRING_length(value)
        if kind == GEN_IPADD:
            if (n == 4 or n == 16) and inet_ntop(AF_INET if n == 4 else AF_INET6, data, address, sizeof(address)):
                length[0] = plain(<const unsigned char*>address, <int>strlen(address), out, room)
            break
        for j in range(n):
            if data[j] > 0x7E:      # IA5String is ASCII
                break
        else:
            length[0] = plain(data, n, out, room)
        break
    GENERAL_NAMES_free(names)
    return found


cdef size_t common_name(const X509* certificate, char* out, size_t room) noexcept nogil:
    cdef X509_NAME* subject = X509_get_subject_name(certificate)
    cdef int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
    cdef unsigned char* text = NULL
    cdef size_t length
    cdef int n
    if at < 0:
        return 0
    n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)))
    if n < 0:
        return 0
    length = plain(text, n, out, room)
    OPENSSL_free(text)
    return length


cdef size_t owner(const X509* certificate, char* out, size_t room) noexcept nogil:
    cdef size_t length = 0
    if not alternative_name(certificate, out, room, &length):
        length = common_name(certificate, out, room)
    ERR_clear_error()
    return length
