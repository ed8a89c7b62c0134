#include "tests/cuda_host/worker.h"

#include <cstdio>
#include <cstring>
#include <utility>

#include "tests/cuda_host/random.h"
#include "tests/cuda_host/report.h"
#include "tests/cuda_host/settings.h"

namespace ms_cuda_host {

__thread Place place;

namespace {

/* Plain, for speed; the owner frees it at the end of the thread. */
thread_local Worker *my_worker __attribute__((tls_model("initial-exec"))) = nullptr;
struct WorkerOwner {
    std::unique_ptr<Worker> worker;
    ~WorkerOwner() { my_worker = nullptr; }
};
thread_local WorkerOwner owner;

bool same_site(Site a, Site b) { return a.line == b.line && (a.file == b.file || strcmp(a.file, b.file) == 0); }

} // namespace

Worker &Worker::mine() {
    if (!my_worker) {
        owner.worker.reset(new Worker());
        my_worker = owner.worker.get();
    }
    return *my_worker;
}

Worker *Worker::mine_or_null() { return my_worker; }

void Worker::begin(const Launch &launch) {
    launch_ = &launch;
    place.block_size = {launch.block.x, launch.block.y, launch.block.z};
    place.grid_size = {launch.grid.x, launch.grid.y, launch.grid.z};
    lay_out_threads();
}

void Worker::end() { launch_ = nullptr; }

void Worker::lay_out_threads() {
    dim3 size = launch_->block;
    n_threads_ = size.x * size.y * size.z;
    unsigned n_warps = (n_threads_ + WARP_SIZE - 1) / WARP_SIZE;
    threads_.assign(n_warps * WARP_SIZE, Thread());
    for (unsigned i = 0; i < threads_.size(); i++) {
        Thread &thread = threads_[i];
        thread.index = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
        thread.lane = i % WARP_SIZE;
        thread.i_warp = i / WARP_SIZE;
    }
    warps_.assign(n_warps, Warp{0xffffffffu, 0, 0, 0});
    if (n_threads_ % WARP_SIZE) warps_.back().existing = (1u << n_threads_ % WARP_SIZE) - 1;
    bool backward = settings().thread_order == 1;
    warp_order_.resize(n_warps);
    for (unsigned i = 0; i < n_warps; i++) warp_order_[i] = backward ? n_warps - 1 - i : i;
    for (unsigned i = 0; i < WARP_SIZE; i++) lane_order_[i] = backward ? WARP_SIZE - 1 - i : i;
}

void Worker::choose_order(uint64_t i_block) {
    if (settings().thread_order <= 1) return;
    Random random(settings().thread_order, i_block);
    random.shuffle(warp_order_.data(), warp_order_.size());
    random.shuffle(lane_order_, WARP_SIZE);
}

void Worker::run_block(uint64_t i_block) {
    dim3 grid = launch_->grid;
    place.block = {static_cast<unsigned>(i_block % grid.x), static_cast<unsigned>(i_block / grid.x % grid.y),
                   static_cast<unsigned>(i_block / grid.x / grid.y)};
    n_done_ = n_at_barrier_ = 0;
    n_predicates_ = 0;
    for (Warp &warp : warps_) warp.living = warp.ready = warp.existing;
    choose_order(i_block);
    shared_.begin_block(launch_->dynamic_shared_bytes, launch_->shared_limit_bytes);
    while (n_done_ < n_threads_) {
        bool ran = false;
        for (unsigned i_warp : warp_order_)
            while (run_warp(i_warp)) ran = true;
        if (n_at_barrier_ == n_threads_)
            release_barrier();
        else if (!ran && n_done_ < n_threads_)
            report_deadlock();
    }
    shared_.end_block();
}

/* Gives each lane that can run its turn; false when none could. */
bool Worker::run_warp(unsigned i_warp) {
    Warp &warp = warps_[i_warp];
    if (!warp.ready) return false;
    Thread *lanes = lanes_of(i_warp);
    for (cursor_ = 0; cursor_ < WARP_SIZE; cursor_++)
        if (warp.ready >> lane_order_[cursor_] & 1) run_until_it_waits(lanes[lane_order_[cursor_]]);
    return true;
}

void Worker::run_until_it_waits(Thread &thread) {
    if (!thread.fiber) thread.fiber = fibers_.take();
    place.thread = &thread;
    fibers_.resume(thread.fiber);
    place.thread = nullptr;
}

void Worker::fiber_main() {
    for (;;) my_worker->run_threads_on_fiber();
}

/* The thread at `place`, and those after it in its warp: a thread that never waits costs no switch. */
void Worker::run_threads_on_fiber() {
    Fiber *fiber = place.thread->fiber;
    for (;;) {
        Thread *thread = place.thread;
        launch_->invoke(launch_->packed.get());
        finish_thread(*thread);
        if (cursor_ + 1 == WARP_SIZE) break;
        Thread &next = lanes_of(thread->i_warp)[lane_order_[cursor_ + 1]];
        if (!(warps_[thread->i_warp].ready >> next.lane & 1) || next.fiber) break;
        cursor_++;
        next.fiber = fiber;
        place.thread = &next;
    }
    fibers_.give_back(fiber);
    fibers_.suspend(fiber);
}

void Worker::finish_thread(Thread &thread) {
    thread.fiber = nullptr;
    thread.n_copies = 0;
    n_done_++;
    Warp &warp = warps_[thread.i_warp];
    warp.living &= ~(1u << thread.lane);
    warp.ready &= ~(1u << thread.lane);
    /* Lanes may have waited for this one only. */
    for (unsigned lanes = warp.exchanging; lanes; lanes &= lanes - 1) {
        Thread &waiting = lanes_of(thread.i_warp)[__builtin_ctz(lanes)];
        if (waiting.mask >> thread.lane & 1) complete_exchange(waiting);
    }
}

void Worker::suspend(Thread &thread) { fibers_.suspend(thread.fiber); }

int Worker::wait_at_barrier(Site site, int predicate) {
    Thread &thread = *place.thread;
    if (n_at_barrier_ == 0) barrier_site_ = site;
    if (!same_site(site, barrier_site_))
        fatal("divergent barrier: this thread waits at __syncthreads in %s:%d, another one at that in %s:%d", site.file,
              site.line, barrier_site_.file, barrier_site_.line);
    warps_[thread.i_warp].ready &= ~(1u << thread.lane);
    n_at_barrier_++;
    n_predicates_ += predicate != 0;
    suspend(thread);
    return barrier_result_;
}

void Worker::release_barrier() {
    barrier_result_ = n_predicates_;
    n_predicates_ = 0;
    n_at_barrier_ = 0;
    for (Warp &warp : warps_) warp.ready = warp.existing;
}

uint64_t Worker::wait_in_warp(Site site, unsigned mask, Combine combine, uint64_t value, unsigned source) {
    Thread &thread = *place.thread;
    if (!(mask >> thread.lane & 1))
        fatal("lane %u is not in its own mask %08x (%s:%d)", thread.lane, mask, site.file, site.line);
    warps_[thread.i_warp].ready &= ~(1u << thread.lane);
    warps_[thread.i_warp].exchanging |= 1u << thread.lane;
    thread.site = site;
    thread.mask = mask;
    thread.combine = combine;
    thread.value = value;
    thread.source = source;
    if (!complete_exchange(thread)) suspend(thread);
    return thread.result;
}

/* Aborts unless all lanes of the group wait for the same. */
void Worker::check_exchange(const Thread &thread, unsigned group) const {
    for (; group; group &= group - 1) {
        const Thread &waiting = threads_[thread.i_warp * WARP_SIZE + static_cast<unsigned>(__builtin_ctz(group))];
        if (waiting.mask != thread.mask)
            fatal("divergent warp: lane %u waits with mask %08x (%s:%d), lane %u with %08x (%s:%d)", waiting.lane,
                  waiting.mask, waiting.site.file, waiting.site.line, thread.lane, thread.mask, thread.site.file,
                  thread.site.line);
        if (waiting.combine != thread.combine || !same_site(waiting.site, thread.site))
            fatal("divergent warp: lane %u waits in %s:%d, lane %u in %s:%d", waiting.lane, waiting.site.file,
                  waiting.site.line, thread.lane, thread.site.file, thread.site.line);
    }
}

/* When every living lane of the thread's mask waits: exchanges, and all of them can run.  False otherwise. */
bool Worker::complete_exchange(Thread &thread) {
    Warp &warp = warps_[thread.i_warp];
    unsigned group = thread.mask & warp.living;
    if (group & ~warp.exchanging) return false;
    check_exchange(thread, group);
    thread.combine(lanes_of(thread.i_warp), group);
    warp.exchanging &= ~group;
    warp.ready |= group;
    return true;
}

void Worker::report_deadlock() const {
    unsigned n_in_warp = 0;
    Site warp_site = {"", 0};
    for (const Thread &thread : threads_) {
        if (!(warps_[thread.i_warp].exchanging >> thread.lane & 1)) continue;
        n_in_warp++;
        warp_site = thread.site;
    }
    if (n_at_barrier_ == 0)
        fatal("divergent warp: %u of %u threads wait for lanes that wait elsewhere (%s:%d)", n_in_warp, n_threads_,
              warp_site.file, warp_site.line);
    if (n_in_warp)
        fatal("divergent barrier: %u of %u threads wait at __syncthreads in %s:%d, %u in a warp function in %s:%d, %u "
              "have returned",
              n_at_barrier_, n_threads_, barrier_site_.file, barrier_site_.line, n_in_warp, warp_site.file,
              warp_site.line, n_done_);
    fatal("divergent barrier: %u of %u threads wait at __syncthreads in %s:%d, %u have returned", n_at_barrier_,
          n_threads_, barrier_site_.file, barrier_site_.line, n_done_);
}

int block_barrier(Site site, int predicate) { return my_worker->wait_at_barrier(site, predicate); }

uint64_t warp_exchange(Site site, unsigned mask, Combine combine, uint64_t value, unsigned source) {
    return my_worker->wait_in_warp(site, mask, combine, value, source);
}

void *shared_variable(const void *site, const char *name, size_t size_bytes, size_t alignment) {
    return my_worker->shared().variable(site, name, size_bytes, alignment);
}

void *dynamic_shared() { return my_worker->shared().dynamic(); }

size_t shared_offset(const void *address) { return my_worker->shared().offset_of(address); }

void *shared_address(size_t offset) { return my_worker->shared().at(offset); }

void describe_running_thread(char *text, size_t size_bytes) {
    text[0] = '\0';
    const Worker *worker = Worker::mine_or_null();
    if (!worker || !worker->launch()) return;
    const uint3 &block = place.block;
    int length =
        snprintf(text, size_bytes, "kernel %s, block (%u,%u,%u)", worker->launch()->name, block.x, block.y, block.z);
    if (length < 0 || static_cast<size_t>(length) >= size_bytes) return;
    text += length;
    size_bytes -= static_cast<size_t>(length);
    if (place.thread) {
        const uint3 &index = place.thread->index;
        snprintf(text, size_bytes, ", thread (%u,%u,%u): ", index.x, index.y, index.z);
    } else {
        snprintf(text, size_bytes, ": ");
    }
}

bool describe_worker_address(const void *address, char *text, size_t size_bytes) {
    Worker *worker = Worker::mine_or_null();
    if (!worker) return false;
    if (worker->fibers().overflowed(address)) {
        snprintf(text, size_bytes, "the thread's stack is full: too many local variables");
        return true;
    }
    return worker->shared().describe(address, text, size_bytes);
}

} // namespace ms_cuda_host
