# The bounded pool of sketches that distinct counts borrow from (contract: sketches.pxd). Knows nothing of windows but
# the time until which an owner wants to keep what it has.
#
# Locks: the pool's is taken with no sketch locked, and a sketch's may be taken under the pool's: no cycle.
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stddef cimport size_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from interceptor.engine.atomics cimport (
    add_lock_waits, ic_held, ic_load64_relaxed, ic_lock, ic_store64_relaxed, ic_unlock,
)
from interceptor.engine.memory cimport region_part
from interceptor.engine.sketches cimport Sketch, SketchHead, SketchPool, SketchStats, sketch_at, sketch_index
from interceptor.engine.types cimport Millis

cdef enum:
    HAND = 64                   # sketches the clock hand looks at in one go: eight cache lines of `until`

if sizeof(Sketch) != 64 or sizeof(SketchHead) != 64:
    raise ImportError("interceptor.engine.sketches: struct layout differs from what the kernels were written for")


cdef size_t lay_out(SketchPool* pool, uint32_t capacity, uint32_t inside, char* base) noexcept nogil:
    cdef size_t used = 0
    cdef void* head = region_part(base, &used, sizeof(SketchHead) + capacity * (sizeof(Sketch) + inside))
    cdef void* until = region_part(base, &used, capacity * sizeof(int64_t))
    if pool != NULL:
        pool.head, pool.until = <SketchHead*>head, <int64_t*>until
        pool.sketches = <char*>head + sizeof(SketchHead)
    return used


cdef size_t sketches_bytes(uint32_t capacity, uint32_t inside) noexcept nogil:
    return lay_out(NULL, capacity, inside, NULL) if capacity else 0


cdef SketchPool* sketches_new(uint32_t capacity, uint32_t inside, uint64_t seed, void* memory) noexcept nogil:
    cdef SketchPool* pool = <SketchPool*>calloc(1, sizeof(SketchPool))
    if pool == NULL:
        return NULL
    pool.capacity = capacity
    pool.inside = inside
    pool.seed = seed
    pool.head = &pool.empty
    if capacity:
        lay_out(pool, capacity, inside, <char*>memory)
    return pool


# Who is on the free list is known without it: a sketch was lent if it has an end, and is nobody's if that is never. Who
# died between taking one and keeping it had a record that is dropped, as had who died changing one.
cdef void sketches_attach(SketchPool* pool) noexcept nogil:
    cdef SketchHead* head = pool.head
    cdef uint32_t i
    memset(head, 0, sizeof(SketchHead))
    for i in range(pool.capacity):
        if pool.until[i] == 0:              # never lent: most are at the end, and their pages are not even mapped
            continue
        while head.fresh < i:               # passed over until now
            free_again(pool, head.fresh)
            head.fresh += 1
        head.fresh = i + 1
        if ic_held(sketch_at(pool, i).lock):
            ic_unlock(&sketch_at(pool, i).lock)
        if pool.until[i] == INT64_MAX:
            free_again(pool, i)
        else:
            head.used += 1


cdef inline void free_again(SketchPool* pool, uint32_t i) noexcept nogil:
    cdef SketchHead* head = pool.head
    cdef Sketch* sketch = sketch_at(pool, i)
    pool.until[i] = INT64_MAX
    sketch.tag += 1
    sketch.next = head.free
    head.free = i + 1


cdef void sketches_free(SketchPool* pool) noexcept nogil:
    free(pool)


cdef SketchStats sketches_stats(SketchPool* pool) noexcept nogil:
    cdef SketchHead* head = pool.head
    cdef SketchStats stats
    ic_lock(&head.lock, &pool.waited)
    stats.capacity = pool.capacity
    stats.used = head.used
    stats.reclaimed = pool.reclaimed
    stats.saturated = pool.saturated
    memset(&stats.waited, 0, sizeof(stats.waited))
    add_lock_waits(&stats.waited, &pool.waited)
    stats.nbytes = sizeof(SketchPool) + sizeof(SketchHead)
    stats.nbytes += pool.capacity * (sizeof(Sketch) + pool.inside + sizeof(int64_t))
    ic_unlock(&head.lock)
    return stats


cdef inline bint expired(SketchPool* pool, uint32_t i, Millis now) noexcept nogil:
    return <int64_t>ic_load64_relaxed(<uint64_t*>&pool.until[i]) <= now


cdef uint32_t sketch_take(SketchPool* pool, Millis now) noexcept nogil:
    cdef SketchHead* head = pool.head
    cdef uint32_t taken = pool.capacity, _, i
    cdef Sketch* sketch
    ic_lock(&head.lock, &pool.waited)
    if head.free:
        taken = head.free - 1
        head.free = sketch_at(pool, taken).next
        head.used += 1
    elif head.fresh < pool.capacity:
        taken = head.fresh
        ic_store64_relaxed(<uint64_t*>&pool.until[taken], INT64_MAX)    # the hand takes no other for expired
        head.fresh += 1
        head.used += 1
    else:
        for _ in range(HAND if pool.capacity > HAND else pool.capacity):
            i = head.hand
            head.hand = i + 1 if i + 1 < pool.capacity else 0
            if expired(pool, i, now):
                sketch = sketch_at(pool, i)
                ic_lock(&sketch.lock, &pool.waited)
                if expired(pool, i, now):       # again, now that its owner is kept out
                    sketch.tag += 1
                    ic_store64_relaxed(<uint64_t*>&pool.until[i], INT64_MAX)
                    taken = i
                ic_unlock(&sketch.lock)
                if taken == i:
                    pool.reclaimed += 1
                    break
        if taken == pool.capacity:
            pool.saturated += 1
    ic_unlock(&head.lock)
    return taken


cdef bint sketch_waits(SketchPool* pool, Millis now) noexcept nogil:
    cdef SketchHead* head = pool.head
    cdef uint32_t _, i
    cdef bint found
    ic_lock(&head.lock, &pool.waited)
    found = head.free != 0 or head.fresh < pool.capacity
    i = head.hand
    for _ in range(0 if found else HAND if pool.capacity > HAND else pool.capacity):
        if expired(pool, i, now):
            found = True
            break
        i = i + 1 if i + 1 < pool.capacity else 0
    ic_unlock(&head.lock)
    return found


cdef Sketch* sketch_open(SketchPool* pool, uint32_t index, uint32_t tag) noexcept nogil:
    cdef Sketch* sketch = sketch_at(pool, index)
    ic_lock(&sketch.lock, &pool.waited)
    if sketch.tag == tag:
        return sketch
    ic_unlock(&sketch.lock)
    return NULL


cdef void sketch_return(SketchPool* pool, Sketch* sketch) noexcept nogil:
    cdef SketchHead* head = pool.head
    cdef uint32_t i = sketch_index(pool, sketch)
    sketch.tag += 1
    ic_store64_relaxed(<uint64_t*>&pool.until[i], INT64_MAX)
    ic_unlock(&sketch.lock)
    ic_lock(&head.lock, &pool.waited)
    sketch.next = head.free
    head.free = i + 1
    head.used -= 1
    ic_unlock(&head.lock)
