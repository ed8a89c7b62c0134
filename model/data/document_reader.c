#include "model/data/document_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/data/dataset_sidecar.h"

/* A group is some milliseconds' work for one thread. */
enum { GROUP_BYTES = 64 << 10 };

ms_status ms_document_batch_init(int n_most, ms_document_batch *out) {
    *out = (ms_document_batch){.groups = calloc((size_t)n_most, sizeof *out->groups), .n_most = n_most};
    return out->groups ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %d groups of documents", n_most);
}

void ms_document_batch_finish(ms_document_batch *batch) {
    for (int i = 0; i < batch->n_most; i++) ms_document_group_finish(&batch->groups[i]);
    free(batch->groups);
    *batch = (ms_document_batch){0};
}

static bool is_validation(const ms_document_reader *reader) { return reader->i_file == reader->n_paths; }

static bool at_end(const ms_document_reader *reader) {
    return reader->i_file == reader->n_paths + (reader->validation_path != NULL);
}

static ms_status open_file(ms_document_reader *reader, const char *path) {
    MS_TRY(ms_corpus_open(path, &reader->options, &reader->corpus));
    if (reader->is_amid) MS_TRY(ms_corpus_go_to(reader->corpus, &reader->position, &reader->counts));
    reader->is_amid = false;
    return MS_OK;
}

static ms_status fill_group(ms_document_reader *reader, ms_document_group *group) {
    const char *path = is_validation(reader) ? reader->validation_path : reader->paths[reader->i_file];
    if (!reader->corpus) MS_TRY(open_file(reader, path));
    group->i_file = reader->i_file;
    group->fixed_split = is_validation(reader) ? MS_SPLIT_VAL : reader->validation_path ? MS_SPLIT_TRAIN : -1;
    ms_status status = MS_OK;
    while (ms_document_group_bytes(group) < GROUP_BYTES) {
        ms_document document;
        status = ms_corpus_next(reader->corpus, &document);
        group->ends_file = status == MS_OK && !document.text && !document.ids;
        if (status == MS_OK && !group->ends_file) status = ms_document_group_add(group, &document);
        if (status != MS_OK || group->ends_file) break;
    }
    group->is_cut = status != MS_OK;
    group->position = ms_corpus_position_of(reader->corpus);
    group->n_file_bytes_read = ms_corpus_file_bytes_read(reader->corpus);
    group->counts = *ms_corpus_counts(reader->corpus);
    if (group->ends_file) {
        ms_document_reader_close(reader);
        reader->i_file++;
    }
    return status;
}

void ms_document_reader_fill(ms_document_reader *reader, ms_document_batch *batch) {
    size_t n_bytes = 0, n_most = (size_t)batch->n_most * GROUP_BYTES;
    batch->status = MS_OK;
    for (batch->n = 0; batch->n < batch->n_most && n_bytes < n_most && !at_end(reader);) {
        ms_document_group *group = &batch->groups[batch->n++];
        ms_document_group_clear(group);
        batch->status = fill_group(reader, group);
        n_bytes += ms_document_group_bytes(group);
        if (batch->status == MS_OK) continue;
        snprintf(batch->message, sizeof batch->message, "%s", ms_status_message());
        break;
    }
    batch->is_last = at_end(reader);
}

void ms_document_reader_close(ms_document_reader *reader) {
    ms_corpus_close(reader->corpus);
    reader->corpus = NULL;
}
