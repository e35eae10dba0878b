# How a snapshot reaches threads that hold no GIL (contract: publication.pxd), and a way to watch it from Python.
from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine.memory cimport release, reserve
from interceptor.engine.publication cimport Publication, Reader
from interceptor.engine.snapshot cimport MAX_WORKERS, Snapshot

# A reader stores its epoch and then loads; the writer stores and then loads the epochs: whichever is later in the one
# order of both sees the other. An exchange that is locked orders all of it on x86, elsewhere it takes a fence.
cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    #if defined(__x86_64__)
    #define ic_ordered() __asm__ __volatile__("" ::: "memory")
    #else
    #define ic_ordered() __atomic_thread_fence(__ATOMIC_SEQ_CST)
    #endif
    static inline void ic_announce(uint64_t* p, uint64_t v) {
        (void)__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
        ic_ordered();
    }
    static inline uint64_t ic_advance(uint64_t* p) {
        uint64_t next = __atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST);
        ic_ordered();
        return next;
    }
    #define ic_seen(p)    __atomic_load_n((p), __ATOMIC_SEQ_CST)
    #define ic_depart(p)  __atomic_store_n((p), 0, __ATOMIC_RELEASE)
    #define ic_point(p, s) __atomic_store_n((p), (s), __ATOMIC_SEQ_CST)
    static void ic_doze(void) {
        struct timespec t = {0, 50000};
        nanosleep(&t, 0);
    }
    /* read each time, however often the compiler has seen it */
    #define ic_revision(s) (*(volatile const uint32_t*)&(s)->revision)
    """
    void ic_announce(uint64_t* p, uint64_t v) noexcept
    uint64_t ic_advance(uint64_t* p) noexcept
    uint64_t ic_seen(const uint64_t* p) noexcept
    const Snapshot* snapshot_seen "ic_seen"(const Snapshot** p) noexcept
    void ic_depart(uint64_t* p) noexcept
    void ic_point(const Snapshot** p, const Snapshot* s) noexcept
    void ic_doze() noexcept
    uint32_t ic_revision(const Snapshot* s) noexcept

if sizeof(Reader) != 64 or sizeof(Publication) != 64 * (MAX_WORKERS + 1):
    raise ImportError("interceptor.engine.publication: a Reader is a cache line of its own")


cdef const Snapshot* publication_enter(Publication* publication, uint32_t worker) noexcept nogil:
    # one more than the publication's, so that no epoch reads as "outside"
    ic_announce(&publication.readers[worker].epoch, ic_seen(&publication.epoch) + 1)
    return snapshot_seen(&publication.snapshot)


cdef void publication_leave(Publication* publication, uint32_t worker) noexcept nogil:
    ic_depart(&publication.readers[worker].epoch)


cdef void publication_point(Publication* publication, const Snapshot* snapshot) noexcept nogil:
    ic_point(&publication.snapshot, snapshot)


cdef void publication_wait(Publication* publication) noexcept nogil:
    cdef uint64_t since = ic_advance(&publication.epoch) + 1, epoch
    cdef uint32_t i
    for i in range(<uint32_t>MAX_WORKERS):
        while True:
            epoch = ic_seen(&publication.readers[i].epoch)
            if epoch == 0 or epoch >= since:
                break
            ic_doze()


# ---- for tests: snapshots that hold nothing but a revision, each in pages of its own, so that a freed one is no memory

cdef class PublicationProbe:
    cdef Publication publication
    cdef uint32_t revision
    cdef list replaced

    def __cinit__(self):
        self.replaced = []

    def __dealloc__(self):
        if self.publication.snapshot is not NULL:
            self.discard()
            release(<void*> self.publication.snapshot, sizeof(Snapshot))

    def publish(self):
        cdef Snapshot* snapshot = <Snapshot*> reserve(sizeof(Snapshot))
        if snapshot is NULL:
            raise MemoryError("no memory for a snapshot")
        if self.publication.snapshot is not NULL:
            self.replaced.append(<size_t> self.publication.snapshot)
        self.revision += 1
        snapshot.revision = self.revision
        publication_point(&self.publication, snapshot)
        return self.revision

    def wait(self):
        with nogil:
            publication_wait(&self.publication)

    def discard(self):
        for address in self.replaced:
            release(<void*> <size_t> address, sizeof(Snapshot))
        self.replaced.clear()

    def enter(self, uint32_t worker):
        cdef const Snapshot* snapshot = publication_enter(&self.publication, self._known(worker))
        return None if snapshot is NULL else snapshot.revision

    def leave(self, uint32_t worker):
        publication_leave(&self.publication, self._known(worker))

    def read(self, uint32_t worker, uint64_t rounds, uint32_t looks=64):
        cdef uint64_t i, wrong = 0
        cdef uint32_t _, last = 0
        cdef const Snapshot* snapshot
        self._known(worker)
        with nogil:
            for i in range(rounds):
                snapshot = publication_enter(&self.publication, worker)
                if snapshot is not NULL:
                    wrong += snapshot.revision < last
                    last = snapshot.revision
                    for _ in range(looks):
                        wrong += ic_revision(snapshot) != last
                if i % 7 == 0:      # otherwise it comes in anew without having left
                    publication_leave(&self.publication, worker)
            publication_leave(&self.publication, worker)
        return wrong

    cdef uint32_t _known(self, uint32_t worker) except? 0:
        if worker >= MAX_WORKERS:
            raise ValueError(f"worker {worker}: workers are numbered 0 to {MAX_WORKERS - 1}")
        return worker
