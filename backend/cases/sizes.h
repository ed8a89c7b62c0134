/* Sizes that elementwise ops are tried at: one, small, odd, prime, a chunk of the CPU's work, and around it. */
#ifndef MS_BACKEND_CASES_SIZES_H
#define MS_BACKEND_CASES_SIZES_H

#include <stdint.h>

enum { MS_CASE_N_SIZES = 9 };
static const int64_t ms_case_sizes[MS_CASE_N_SIZES] = {1, 2, 31, 32, 37, 4099, 16384, 16385, 50021};

#endif
