/* The pattern of memory that nobody has written: NaN as f32, bf16 and f16, an absurd index as i32. */
#ifndef MS_TESTS_CUDA_HOST_POISON_H
#define MS_TESTS_CUDA_HOST_POISON_H

#include <cstddef>

namespace ms_cuda_host {

/* Fills [begin, end); the pattern's phase follows the address, so that any aligned word has it. */
void poison(char *begin, char *end);

/* True while every byte of [begin, end) is as poison left it. */
bool is_poison(const char *begin, const char *end);

} // namespace ms_cuda_host

#endif
