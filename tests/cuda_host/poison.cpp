#include "tests/cuda_host/poison.h"

#include <cstdint>
#include <cstring>

namespace ms_cuda_host {
namespace {

const uint32_t WORD = 0xffd5ffd5u;

unsigned char byte_at(const char *address) { return reinterpret_cast<uintptr_t>(address) % 2 ? 0xff : 0xd5; }

} // namespace

void poison(char *begin, char *end) {
    char *at = begin;
    for (; at < end && reinterpret_cast<uintptr_t>(at) % sizeof WORD; at++) *at = static_cast<char>(byte_at(at));
    for (; end - at >= static_cast<ptrdiff_t>(sizeof WORD); at += sizeof WORD) memcpy(at, &WORD, sizeof WORD);
    for (; at < end; at++) *at = static_cast<char>(byte_at(at));
}

bool is_poison(const char *begin, const char *end) {
    unsigned difference = 0; /* no early exit, so that the loop is vectorised */
    for (const char *at = begin; at < end; at++) difference |= static_cast<unsigned char>(*at) ^ byte_at(at);
    return difference == 0;
}

} // namespace ms_cuda_host
