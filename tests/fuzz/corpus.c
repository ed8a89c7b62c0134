/* A corpus, as text, as JSONL, as token ids, or as what its contents say: every document is UTF-8 and not blank, or has
   ids within the vocabulary.  The first byte chooses how the rest is read. */
#include "platform/utf8.h"
#include "model/data/corpus.h"
#include "tests/fuzz/fuzz.h"

enum { VOCABULARY = 300, END = 7, CHUNK = 5 };

static void check_ids(const ms_document *document, const ms_corpus_options *options) {
    MS_FUZZ_CLAIM(document->n_ids > 0 && !document->text);
    MS_FUZZ_CLAIM(options->end_id >= 0 || document->n_ids <= CHUNK);
    for (size_t i = 0; i < document->n_ids; i++)
        MS_FUZZ_CLAIM(document->ids[i] >= 0 && document->ids[i] < VOCABULARY && document->ids[i] != options->end_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    if (size_bytes == 0) return 0;
    int choice = data[0] % 4;
    bool decides = data[0] / 12 % 2; /* its contents do */
    /* Offsets are those of decompressed bytes: with compressed ones, they say nothing of the input's size. */
    bool plain = size_bytes > 1 && data[1] != 0x1f && data[1] != 0x28;
    ms_corpus_options options = {.format = decides       ? MS_CORPUS_AUTO
                                           : choice == 0 ? MS_CORPUS_JSONL
                                                         : MS_CORPUS_TEXT,
                                 .documents = choice == 0 ? MS_DOCUMENTS_CHUNK : (ms_documents)(choice - 1),
                                 .chunk_bytes = 64,
                                 .on_error = (ms_on_error)(data[0] / 4 % 3),
                                 .accepts_ids = data[0] >= 128,
                                 .end_id = data[0] % 2 ? END : -1,
                                 .vocab_size = VOCABULARY,
                                 .chunk_ids = CHUNK};
    if (data[0] >= 192) options.format = (ms_corpus_format)(MS_CORPUS_LLMC + data[0] % 5);
    ms_corpus *corpus;
    MS_FUZZ_CLAIM(ms_corpus_open(ms_fuzz_file("corpus", data + 1, size_bytes - 1), &options, &corpus) == MS_OK);
    for (;;) {
        ms_document document;
        ms_status status = ms_corpus_next(corpus, &document);
        if (status != MS_OK) ms_fuzz_refused(status);
        if (status != MS_OK || (!document.text && !document.ids)) break;
        if (document.ids) {
            check_ids(&document, &options);
            continue;
        }
        MS_FUZZ_CLAIM(document.size_bytes > 0 && (!plain || document.offset_bytes < size_bytes));
        MS_FUZZ_CLAIM(ms_utf8_check(document.text, document.size_bytes) == document.size_bytes);
        MS_FUZZ_CLAIM(choice != 1 || decides || options.on_error == MS_ON_ERROR_REPLACE ||
                      document.size_bytes <= options.chunk_bytes);
    }
    MS_FUZZ_CLAIM(!plain || ms_corpus_bytes_read(corpus) <= size_bytes - 1);
    ms_corpus_close(corpus);
    return 0;
}
