/* Random orders: the same for the same seed. */
#ifndef MS_TESTS_CUDA_HOST_RANDOM_H
#define MS_TESTS_CUDA_HOST_RANDOM_H

#include <cstddef>
#include <cstdint>
#include <utility>

#include "platform/random.h"

namespace ms_cuda_host {

/* SplitMix64, one sequence a (seed, stream). */
class Random {
  public:
    explicit Random(uint64_t seed, uint64_t stream = 0)
        : state_(seed * 0x9e3779b97f4a7c15ull ^ stream * 0xd1342543de82ef95ull) {}

    /* From 0 to n - 1; n is at least 1.  Slightly uneven, which does not matter here. */
    uint64_t below(uint64_t n) { return ms_split_mix(&state_) % n; }

    template <class T> void shuffle(T *values, size_t n) {
        for (size_t i = n; i > 1; i--) std::swap(values[i - 1], values[below(i)]);
    }

  private:
    uint64_t state_;
};

} // namespace ms_cuda_host

#endif
