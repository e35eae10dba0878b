# Copies of tables that threads go on changing: set by set without a lock, each as it was at one moment, into a file.
# A thread of its own writes them. It holds nothing that anybody waits for, no lock and not the GIL, so it may starve.
from libc.errno cimport errno
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset, strerror

from interceptor.engine.atomics cimport (
    ic_glance_begins, ic_glance_held, ic_held, ic_load64_relaxed, ic_store64_relaxed,
)
from interceptor.engine.memory cimport Region, release, reserve

cdef extern from * nogil:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <fcntl.h>
    #include <pthread.h>
    #include <sched.h>
    #include <stdio.h>
    #include <string.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    /* What is read may be changed meanwhile, and is thrown away then: no race that matters. */
    #if defined(__has_feature)
    #if __has_feature(thread_sanitizer)
    #define __SANITIZE_THREAD__ 1
    #endif
    #endif
    #ifdef __SANITIZE_THREAD__
    __attribute__((no_sanitize("thread")))
    #endif
    static void ic_copy_words(char* to, const uint64_t* from, size_t nbytes) {
        for (size_t i = 0; i < nbytes / 8; i++) {
            const uint64_t word = __atomic_load_n(from + i, __ATOMIC_RELAXED);
            memcpy(to + 8 * i, &word, 8);
        }
    }
    static void ic_sleep(uint64_t ns) {
        const struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
        nanosleep(&time, 0);
    }
    /* Whoever holds a lock may have lost its core: then it takes a scheduler's round until it goes on. */
    static void ic_let_others(uint32_t tries) { if (tries < 32) sched_yield(); else ic_sleep(1000000); }

    /* From now on the calling thread has a core, and the disk, while nobody else wants it, and loses it in the moment
       somebody wakes who does: at nice 19 it would go on for its slice, some milliseconds, while a call waits. Where
       cores are never free it has its turn all the same, until the next tick: so it also sleeps often. Where that is
       not permitted it stays at the niceness it has. */
    static void ic_stand_aside(void) {
        const struct sched_param none = {0};
        pthread_setname_np(pthread_self(), "ic-copy");
        (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
        (void)syscall(SYS_ioprio_set, 1 /* a thread */, 0 /* this one */, 3 << 13 /* when the disk is idle */);
    }

    /* Past the page cache: it would be written back by the kernel's own threads, who do not stand aside, and a fresh
       page of it may be one that the hypervisor has yet to find. Returns whether that changed anything; not every file
       system can. */
    static int ic_directly(int fd, int on) {
        const int flags = fcntl(fd, F_GETFL);
        return flags >= 0 && ((flags & O_DIRECT) != 0) != on && fcntl(fd, F_SETFL, flags ^ O_DIRECT) == 0;
    }
    /* 0, or an errno. Into the page cache little by little, for the kernel leaves no core in the middle of a write. */
    enum { IC_CACHED = 1 << 15 };
    static int ic_write(int fd, const char* data, size_t n) {
        while (n) {
            const int directly = fcntl(fd, F_GETFL) & O_DIRECT;
            const ssize_t done = write(fd, data, directly || n < IC_CACHED ? n : IC_CACHED);
            if (done > 0) {
                data += done;
                n -= (size_t)done;
                if (!directly) sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
            } else if (done == 0 || (errno != EINTR && !(errno == EINVAL && ic_directly(fd, 0)))) {
                return done ? errno : EIO;
            }
        }
        return 0;
    }

    /* Takes a file's pages out of the page cache little by little: to remove it takes the kernel 50 ms a GB else, and
       whoever waits for the core some of them. Two megabytes are of whole pages, however large these are. */
    static void ic_forget(const char* name) {
        const off_t some = 2 << 20;
        const int fd = open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        const off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
        for (off_t at = 0; at < end; at += some) {
            (void)posix_fadvise(fd, at, some, POSIX_FADV_DONTNEED);
            ic_sleep(200000);
        }
        if (fd >= 0) close(fd);
    }

    /* CRC-32 as zlib has it, eight bytes at a time. */
    static uint32_t ic_crc_table[8][256];
    static void ic_crc_prepare(void) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t crc = i;
            for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
            ic_crc_table[0][i] = crc;
        }
        for (int k = 1; k < 8; k++)
            for (uint32_t i = 0; i < 256; i++)
                ic_crc_table[k][i] = ic_crc_table[k - 1][i] >> 8 ^ ic_crc_table[0][ic_crc_table[k - 1][i] & 255];
    }
    static uint32_t ic_crc(const char* data, size_t n) {
        const unsigned char* p = (const unsigned char*)data;
        uint32_t crc = ~0u;
        for (; n >= 8; p += 8, n -= 8) {
            crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
            crc = ic_crc_table[7][crc & 255] ^ ic_crc_table[6][crc >> 8 & 255] ^ ic_crc_table[5][crc >> 16 & 255] ^
                  ic_crc_table[4][crc >> 24] ^ ic_crc_table[3][p[4]] ^ ic_crc_table[2][p[5]] ^ ic_crc_table[1][p[6]] ^
                  ic_crc_table[0][p[7]];
        }
        while (n--) crc = crc >> 8 ^ ic_crc_table[0][(crc ^ *p++) & 255];
        return ~crc;
    }

    /* Has a thread do it, and waits for that; 0, or an errno. */
    static int ic_on_its_own(void* (*work)(void*), void* argument) {
        pthread_t thread;
        const int failed = pthread_create(&thread, 0, work, argument);
        return failed ? failed : pthread_join(thread, 0);
    }
    """
    void ic_copy_words(char* to, const uint64_t* begin, size_t nbytes) noexcept
    void ic_sleep(uint64_t ns) noexcept
    void ic_let_others(uint32_t tries) noexcept
    void ic_stand_aside() noexcept
    bint ic_directly(int fd, bint on) noexcept
    void ic_forget(const char* name) noexcept
    int ic_write(int fd, const char* data, size_t n) noexcept
    void ic_crc_prepare() noexcept
    uint32_t ic_crc(const char* data, size_t n) noexcept
    int ic_on_its_own(void* (*work)(void*) noexcept nogil, void* argument) noexcept
    int fsync(int fd) noexcept
    int rename(const char* one, const char* other) noexcept

cdef enum:
    TRIES = 1000                # a second
    STEP = 1 << 16              # bytes of a table read in one go
    WRITTEN = 1 << 18           # bytes written in one go: some 0.1 ms of the kernel, which leaves no core meanwhile
    BLOCK = 4096                # what is written past the page cache is so many bytes, or a multiple

cdef uint64_t END = ~<uint64_t>0

cdef struct Piece:
    uint64_t offset             # in the table; END: there are no more
    uint32_t length             # of what follows; at the end, how many pieces there are
    uint32_t crc

cdef struct Part:
    uint64_t at                 # the sets, each with its lock first
    uint64_t size
    uint64_t count
    uint64_t beside_at          # what lies beside them
    uint64_t beside_size

cdef struct Copy:
    int fd
    int failed                  # an errno
    const char* name            # of the file
    const char* last            # the copy whose place it takes
    const char* base
    char* out                   # what is not written yet
    size_t used
    Part* parts
    size_t n_parts
    const uint64_t* given_up
    uint64_t rate               # bytes a second; 0: as fast as it goes
    uint64_t hasty              # bytes read since it slept for any
    uint64_t pieces
    uint64_t missed             # sets
    bint made

ic_crc_prepare()


cdef class Pace:
    cdef uint64_t rate
    cdef uint64_t over

    def __cinit__(self, uint64_t rate=0):
        self.rate = rate

    def give_up(self):
        ic_store64_relaxed(&self.over, 1)


cdef uint64_t copy_sets(Copy* copy, const Part* part, uint64_t first, uint64_t n, char* heads,
                        char* besides) noexcept nogil:              # how many are in use
    cdef uint64_t i, used = 0
    cdef const char* head
    cdef uint32_t word, tries
    for i in range(n):
        head = copy.base + part.at + (first + i) * part.size
        for tries in range(<uint32_t>TRIES):
            word = ic_glance_begins(<const uint32_t*>head)
            if word == 0:               # never locked, so never written
                break
            if not ic_held(word):
                ic_copy_words(heads + i * part.size, <const uint64_t*>head, part.size)
                ic_copy_words(besides + i * part.beside_size,
                              <const uint64_t*>(copy.base + part.beside_at + (first + i) * part.beside_size),
                              part.beside_size)
                if ic_glance_held(<const uint32_t*>head, word):
                    used += 1
                    break
            ic_let_others(tries)
        else:
            word = 0
            copy.missed += 1
        if word == 0:
            memset(heads + i * part.size, 0, part.size)
            memset(besides + i * part.beside_size, 0, part.beside_size)
    return used


cdef void close_piece(Copy* copy, uint64_t offset, uint64_t length, uint32_t crc) noexcept nogil:
    cdef Piece piece
    piece.offset, piece.length, piece.crc = offset, <uint32_t>length, crc
    memcpy(copy.out + copy.used, &piece, sizeof(Piece))
    copy.used += sizeof(Piece)


cdef void write_out(Copy* copy, size_t n) noexcept nogil:           # the first n bytes of what is not written yet
    if not copy.failed:
        copy.failed = ic_write(copy.fd, copy.out, n)
    copy.used -= n
    memmove(copy.out, copy.out + n, copy.used)


cdef void copy_part(Copy* copy, const Part* part) noexcept nogil:
    cdef uint64_t first = 0, some, n = sets_at_once(part)
    cdef char* heads
    cdef char* besides
    while first < part.count and not copy.failed and not ic_load64_relaxed(copy.given_up):
        some = min(n, part.count - first)
        heads = copy.out + copy.used + sizeof(Piece)
        besides = heads + some * part.size + sizeof(Piece)
        if copy_sets(copy, part, first, some, heads, besides):
            close_piece(copy, part.at + first * part.size, some * part.size, ic_crc(heads, some * part.size))
            copy.used += some * part.size
            close_piece(copy, part.beside_at + first * part.beside_size, some * part.beside_size,
                        ic_crc(besides, some * part.beside_size))
            copy.used += some * part.beside_size
            copy.pieces += 2
            copy.hasty += some * part.beside_size
        copy.hasty += some * part.size
        while copy.used >= WRITTEN:
            write_out(copy, WRITTEN)
        if copy.rate and copy.hasty >= STEP:
            ic_sleep(copy.hasty * 1000000000 // copy.rate)
            copy.hasty = 0
        first += some


cdef inline uint64_t sets_at_once(const Part* part) noexcept nogil:
    return max(<uint64_t>STEP // (part.size + part.beside_size), <uint64_t>1)


cdef void* copy_all(void* argument) noexcept nogil:
    cdef Copy* copy = <Copy*>argument
    cdef size_t i
    if copy.rate:
        ic_stand_aside()
    ic_directly(copy.fd, True)
    for i in range(copy.n_parts):
        copy_part(copy, &copy.parts[i])
    if copy.failed or ic_load64_relaxed(copy.given_up):
        return NULL
    close_piece(copy, END, copy.pieces, 0)
    write_out(copy, copy.used // BLOCK * BLOCK)
    ic_directly(copy.fd, False)
    write_out(copy, copy.used)
    if copy.rate:
        ic_forget(copy.last)
    if not copy.failed and (fsync(copy.fd) < 0 or rename(copy.name, copy.last) < 0):
        copy.failed = errno
    copy.made = not copy.failed
    return NULL


def copy_into(int fd, bytes name, bytes last, bytes head, Region region not None, parts, Pace pace not None):
    cdef Copy copy
    cdef Part* part
    cdef size_t longest = 0, room
    cdef int failed
    memset(&copy, 0, sizeof(Copy))
    copy.fd, copy.base, copy.given_up, copy.rate = fd, region.base, &pace.over, pace.rate
    copy.name, copy.last, copy.n_parts = name, last, len(parts)
    room = (copy.n_parts + 1) * sizeof(Part)
    copy.parts = <Part*>reserve(room)
    if copy.parts is NULL:
        raise MemoryError
    try:
        for i, described in enumerate(parts):
            part = &copy.parts[<size_t>i]
            part.at, part.size, part.count, part.beside_at, part.beside_size = described
            if (part.at + part.count * part.size > region.nbytes
                    or part.beside_at + part.count * part.beside_size > region.nbytes):
                raise ValueError("the part is not in the region")
            longest = max(longest, sets_at_once(part) * (part.size + part.beside_size))
        longest += 3 * sizeof(Piece) + len(head) + WRITTEN
        copy.out = <char*>reserve(longest)
        if copy.out is NULL:
            raise MemoryError
        memcpy(copy.out, <const char*>head, len(head))
        copy.used = len(head)
        with nogil:
            failed = ic_on_its_own(copy_all, &copy)
    finally:
        release(copy.out, longest)
        release(copy.parts, room)
    failed = failed or copy.failed
    if failed:
        raise OSError(failed, strerror(failed).decode())
    return copy.missed if copy.made else None


def put(Region region not None, uint64_t offset, const unsigned char[::1] data):
    cdef uint64_t i
    if offset + <uint64_t>data.shape[0] > region.nbytes:
        raise ValueError(f"{data.shape[0]} bytes at {offset} of a region of {region.nbytes}")
    with nogil:
        for i in range(<uint64_t>data.shape[0]):
            region.base[offset + i] = <char>data[i]
