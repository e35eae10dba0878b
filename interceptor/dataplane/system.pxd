# What of Linux this front stands on and Cython's own declarations lack: epoll, sockets, pipes, threads, clocks.
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        void* ptr
        int fd

    cdef struct epoll_event:
        uint32_t events
        epoll_data_t data

    enum:
        EPOLL_CLOEXEC
        EPOLL_CTL_ADD
        EPOLL_CTL_MOD
        EPOLL_CTL_DEL
        EPOLLIN
        EPOLLOUT
        EPOLLERR
        EPOLLHUP

    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event)
    int epoll_wait(int epoll, epoll_event* events, int most, int timeout_ms)

cdef extern from "<sys/socket.h>" nogil:
    enum:
        SOCK_NONBLOCK
        SOCK_CLOEXEC
        SOL_SOCKET
        SO_LINGER
        MSG_NOSIGNAL
        SHUT_WR

    cdef struct linger:
        int l_onoff
        int l_linger

    int accept4(int fd, void* address, void* length, int flags)
    ssize_t recv(int fd, void* out, size_t room, int flags)
    ssize_t send(int fd, const void* data, size_t n, int flags)
    int setsockopt(int fd, int level, int option, const void* value, unsigned int n)
    int shutdown(int fd, int how)

cdef extern from "<sys/eventfd.h>" nogil:
    enum:
        EFD_NONBLOCK
        EFD_CLOEXEC

    int eventfd(unsigned int value, int flags)

cdef extern from "<fcntl.h>" nogil:
    enum:
        O_NONBLOCK
        O_CLOEXEC
        O_RDONLY

    int open(const char* path, int flags)
    int pipe2(int* ends, int flags)

cdef extern from "<malloc.h>" nogil:
    int malloc_trim(size_t pad)

cdef extern from "<signal.h>" nogil:
    enum:
        SIG_SETMASK
        SIGSEGV
        SIGBUS
        SIGFPE
        SIGILL
        SIGABRT

    ctypedef struct sigset_t:
        pass

    int sigfillset(sigset_t* signals)
    int sigdelset(sigset_t* signals, int signal)
    int pthread_sigmask(int how, const sigset_t* signals, sigset_t* before)

cdef extern from "<pthread.h>" nogil:
    ctypedef unsigned long pthread_t
    int pthread_create(pthread_t* thread, void* attributes, void* (*run)(void*) noexcept nogil, void* argument)
    int pthread_join(pthread_t thread, void** result)
    int pthread_setname_np(pthread_t thread, const char* name)

cdef extern from "<time.h>" nogil:
    enum:
        CLOCK_MONOTONIC

    cdef struct timespec:
        long tv_sec
        long tv_nsec

    int clock_gettime(int clock, timespec* out)
    int nanosleep(const timespec* time, timespec* left)


cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <sched.h>
    #include <sys/syscall.h>
    #include <unistd.h>

    /* From now on the calling thread, when it wakes, has its core at once, for it says that 0.1 ms will do (Linux 6.12
       and later; others take no notice): no larger a share of it, only sooner. Whoever has the core would go on
       otherwise until its slice is over or the next tick, 3 or 4 ms, even at nice 19. */
    static inline void ic_be_brief(void) {
        struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t level; uint64_t slice, none[2]; } turn;
        if (syscall(SYS_sched_getattr, 0, &turn, sizeof turn, 0) != 0 || turn.policy != SCHED_OTHER) return;
        turn.slice = 100000;
        (void)syscall(SYS_sched_setattr, 0, &turn, 0);
    }
    """
    void ic_be_brief()


cdef inline uint64_t monotonic_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <uint64_t> t.tv_sec * 1000000000u + <uint64_t> t.tv_nsec


cdef inline void reset_when_closed(int fd) noexcept nogil:
    cdef linger at_once
    at_once.l_onoff, at_once.l_linger = 1, 0
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(linger))


cdef inline void pause_ms(long ms) noexcept nogil:
    cdef timespec t
    t.tv_sec, t.tv_nsec = ms // 1000, ms % 1000 * 1000000
    nanosleep(&t, NULL)
