#include "cli/study/folder.h"

#include <stdlib.h>
#include <string.h>

#include "cli/study/study_nodes.h"
#include "platform/file.h"

ms_status ms_study_folder_open(const char *path, ms_study_folder *out) {
    *out = MS_STUDY_FOLDER_CLOSED;
    char *config = ms_path_join(path, "config.yaml");
    out->path = strdup(path);
    out->file = ms_path_join(path, "study.yaml");
    bool is_run = config && ms_file_exists(config);
    free(config);
    if (!config || !out->path || !out->file) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a path");
    if (is_run)
        return MS_FAIL(MS_INVALID, "%s is the folder of a run: name another with --out, for the study's runs", path);
    MS_TRY(ms_directory_create(path));
    return ms_directory_lock(path, &out->lock);
}

void ms_study_folder_close(ms_study_folder *folder) {
    ms_directory_unlock(&folder->lock);
    free(folder->path);
    free(folder->file);
    *folder = MS_STUDY_FOLDER_CLOSED;
}

/* The name in a study file that may be of any version; "" where it has none. */
static ms_status read_study_name(const char *path, const char *text, char out[MS_STUDY_NAME_SIZE]) {
    yaml_document_t document;
    out[0] = '\0';
    MS_TRY(ms_yaml_load(path, text, strlen(text), &document));
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    for (yaml_node_pair_t *pair = root && root->type == YAML_MAPPING_NODE ? root->data.mapping.pairs.start : NULL;
         pair && pair < root->data.mapping.pairs.top; pair++) {
        const char *key = ms_study_scalar(yaml_document_get_node(&document, pair->key));
        if (strcmp(key, "study") == 0)
            snprintf(out, MS_STUDY_NAME_SIZE, "%s", ms_study_scalar(yaml_document_get_node(&document, pair->value)));
    }
    yaml_document_delete(&document);
    return MS_OK;
}

ms_status ms_study_folder_keep_file(const ms_study_folder *folder, const ms_study *study, const char *text,
                                    bool *out_changed) {
    char *before = NULL, name[MS_STUDY_NAME_SIZE];
    size_t size;
    *out_changed = false;
    ms_status status = ms_file_read(folder->file, &before, &size);
    if (status == MS_NOT_FOUND) return ms_file_write(folder->file, text, strlen(text));
    MS_TRY(status);
    *out_changed = strcmp(before, text) != 0;
    status = read_study_name(folder->file, before, name);
    free(before);
    MS_TRY(status);
    if (strcmp(name, study->name) != 0)
        return MS_FAIL(MS_MISMATCH, "%s holds the study %s, not %s: name another folder with --out", folder->path, name,
                       study->name);
    return *out_changed ? ms_file_write(folder->file, text, strlen(text)) : MS_OK;
}
