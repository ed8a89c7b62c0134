#include "tests/cuda_host/pool.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/cuda_host/fault.h"
#include "tests/cuda_host/settings.h"

namespace ms_cuda_host {
namespace {

struct Pool {
    std::mutex mutex;
    std::condition_variable changed;
    const std::function<void()> *work = nullptr;
    uint64_t n_calls = 0;   /* of on_all_threads so far */
    unsigned n_running = 0; /* threads that have not finished the last one */

    void serve() {
        use_alternate_signal_stack();
        for (uint64_t n_seen = 0;;) {
            std::unique_lock<std::mutex> lock(mutex);
            changed.wait(lock, [&] { return n_calls != n_seen; });
            n_seen = n_calls;
            lock.unlock();
            (*work)();
            lock.lock();
            if (--n_running == 0) changed.notify_all();
        }
    }
};

/* Never freed: its threads wait in it while the process ends. */
Pool &pool() {
    static Pool *the_pool = [] {
        Pool *made = new Pool();
        for (unsigned i = 1; i < settings().n_threads; i++) std::thread([made] { made->serve(); }).detach();
        return made;
    }();
    return *the_pool;
}

} // namespace

void on_all_threads(const std::function<void()> &work) {
    Pool &all = pool();
    {
        std::lock_guard<std::mutex> lock(all.mutex);
        all.work = &work;
        all.n_running = settings().n_threads - 1;
        all.n_calls++;
    }
    all.changed.notify_all();
    work();
    std::unique_lock<std::mutex> lock(all.mutex);
    all.changed.wait(lock, [&] { return all.n_running == 0; });
}

} // namespace ms_cuda_host
