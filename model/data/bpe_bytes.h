/* The byte alphabet of byte-level BPE.  A token of a tokenizer.json is text in which every byte stands as
   one printable character: the 188 printable Latin-1 bytes as themselves, the other 68, ascending, as U+0100, U+0101,
   ... Source: GPT-2's encoder (Radford et al. 2019), as in Hugging Face tokenizers' ByteLevel.  Thread-safe. */
#ifndef MS_MODEL_DATA_BPE_BYTES_H
#define MS_MODEL_DATA_BPE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that ms_bpe_from_bytes writes at most for one byte of input. */
#define MS_BPE_SYMBOL_BYTES 2

/* The character (code point, 33..323) that stands for `byte`. */
uint32_t ms_bpe_symbol(uint8_t byte);

/* The bytes in the order of their characters: out_order[0] is '!'.  This is the order in which trained tokenizers
   number them. */
void ms_bpe_symbol_order(uint8_t out_order[256]);

/* Writes `size_bytes` bytes as UTF-8 text of their characters, without a NUL; returns the bytes written.
   out: at least MS_BPE_SYMBOL_BYTES * size_bytes. */
size_t ms_bpe_from_bytes(const uint8_t *bytes, size_t size_bytes, char *out);

/* The reverse: text of characters to bytes, at most size_bytes of them.  False when a character stands for no byte. */
bool ms_bpe_to_bytes(const char *text, size_t size_bytes, uint8_t *out, size_t *out_size_bytes);

#endif
