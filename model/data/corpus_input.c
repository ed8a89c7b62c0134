#include "model/data/corpus_input.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "platform/stream.h"

enum { RAW_BYTES = 1 << 17 };

typedef enum compression { NOT_KNOWN, PLAIN, GZIP, ZSTD } compression;

struct ms_input {
    const ms_corpus_source *source; /* NULL: the stream is read */
    char *source_path;              /* what the source knows it by, owned */
    ms_stream stream;
    compression compression;
    unsigned char *raw; /* [RAW_BYTES]; bytes [begin, end) are read and not used yet */
    size_t begin, end;
    bool at_end;     /* of the stream */
    uint64_t n_read; /* bytes of the stream */
    bool in_part;    /* compressed data have begun and not ended */
    z_stream gzip;
    bool has_gzip;
    ZSTD_DStream *zstd;
};

ms_status ms_input_open(const char *path, const ms_corpus_source *source, ms_input **out) {
    *out = NULL;
    ms_input *input = calloc(1, sizeof *input);
    if (input) input->raw = malloc(RAW_BYTES);
    if (input && source) input->source_path = strdup(path);
    ms_status status = MS_OK;
    if (!input || !input->raw || (source && !input->source_path))
        status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory to read %s", path);
    else if (source)
        input->source = source;
    else
        status = ms_stream_open(path, &input->stream);
    if (status == MS_OK)
        *out = input;
    else
        ms_input_close(input);
    return status;
}

void ms_input_close(ms_input *input) {
    if (!input) return;
    if (input->has_gzip) inflateEnd(&input->gzip);
    ZSTD_freeDStream(input->zstd);
    ms_stream_close(&input->stream);
    free(input->source_path);
    free(input->raw);
    free(input);
}

uint64_t ms_input_bytes_used(const ms_input *input) { return input->n_read - (input->end - input->begin); }

const char *ms_input_name(const ms_input *input) { return input->source ? input->source_path : input->stream.name; }

/* Reads more of the file when nothing is left. */
static ms_status refill(ms_input *input) {
    if (input->begin < input->end || input->at_end) return MS_OK;
    input->begin = input->end = 0;
    const ms_corpus_source *source = input->source;
    if (source)
        MS_TRY(source->read(source->context, input->source_path, input->raw, RAW_BYTES, &input->end));
    else
        MS_TRY(ms_stream_read(&input->stream, input->raw, RAW_BYTES, &input->end));
    input->at_end = input->end == 0;
    input->n_read += input->end;
    return MS_OK;
}

static bool starts_with(const ms_input *input, const char *bytes, size_t n) {
    return input->end - input->begin >= n && memcmp(input->raw + input->begin, bytes, n) == 0;
}

/* Looks at the first bytes; skippable frames may stand before zstd's own. */
static ms_status find_compression(ms_input *input) {
    MS_TRY(refill(input));
    input->compression = PLAIN;
    if (starts_with(input, "\x1f\x8b", 2)) {
        if (inflateInit2(&input->gzip, 15 + 16) != Z_OK)
            return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for zlib", ms_input_name(input));
        input->has_gzip = true;
        input->compression = GZIP;
    } else if (starts_with(input, "\x28\xb5\x2f\xfd", 4) ||
               (input->end - input->begin >= 4 && (input->raw[input->begin] & 0xf0) == 0x50 &&
                memcmp(input->raw + input->begin + 1, "\x2a\x4d\x18", 3) == 0)) {
        input->zstd = ZSTD_createDStream();
        if (!input->zstd) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for zstd", ms_input_name(input));
        input->compression = ZSTD;
    }
    return MS_OK;
}

static ms_status fail_early_end(const ms_input *input) {
    return MS_FAIL(MS_CORRUPT, "%s: its %s data end early: the file is truncated", ms_input_name(input),
                   input->compression == GZIP ? "gzip" : "zstd");
}

/* Between two parts of a gzip file: true when another one follows.  Zeros at the end are padding. */
static ms_status find_next_part(ms_input *input, bool *out) {
    *out = false;
    for (;;) {
        MS_TRY(refill(input));
        if (input->begin == input->end) return MS_OK;
        if (input->raw[input->begin] != 0) break;
        input->begin++;
    }
    if (input->raw[input->begin] != 0x1f)
        return MS_FAIL(MS_CORRUPT, "%s: other bytes follow its gzip data", ms_input_name(input));
    *out = true;
    return MS_OK;
}

static ms_status read_gzip(ms_input *input, char *out, size_t capacity, size_t *out_n) {
    z_stream *z = &input->gzip;
    z->next_out = (unsigned char *)out;
    z->avail_out = (uInt)capacity;
    while (z->avail_out == capacity) {
        MS_TRY(refill(input));
        if (!input->in_part) {
            bool follows;
            MS_TRY(find_next_part(input, &follows));
            if (!follows) break;
            inflateReset(z);
            input->in_part = true;
        }
        z->next_in = input->raw + input->begin;
        z->avail_in = (uInt)(input->end - input->begin);
        int code = inflate(z, Z_NO_FLUSH);
        input->begin = input->end - z->avail_in;
        if (code == Z_MEM_ERROR) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for zlib", ms_input_name(input));
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return MS_FAIL(MS_CORRUPT, "%s: damaged gzip data: %s", ms_input_name(input),
                           z->msg ? z->msg : zError(code));
        input->in_part = code != Z_STREAM_END;
        /* Nothing went in and nothing came out. */
        if (code == Z_BUF_ERROR && input->at_end) return fail_early_end(input);
    }
    *out_n = capacity - z->avail_out;
    return MS_OK;
}

static ms_status read_zstd(ms_input *input, char *out, size_t capacity, size_t *out_n) {
    ZSTD_outBuffer target = {out, capacity, 0};
    while (target.pos == 0) {
        MS_TRY(refill(input));
        bool is_last = input->begin == input->end;
        if (is_last && !input->in_part) break;
        ZSTD_inBuffer source = {input->raw, input->end, input->begin};
        size_t code = ZSTD_decompressStream(input->zstd, &target, &source);
        input->begin = source.pos;
        if (ZSTD_isError(code))
            return MS_FAIL(MS_CORRUPT,
                           "%s: zstd data that cannot be read: %s (`zstd -dc --long=31 FILE | muonscope "
                           "data prepare - ...` reads what needs much memory)",
                           ms_input_name(input), ZSTD_getErrorName(code));
        input->in_part = code != 0;
        if (is_last && target.pos == 0 && input->in_part) return fail_early_end(input);
    }
    *out_n = target.pos;
    return MS_OK;
}

ms_status ms_input_read(ms_input *input, char *out, size_t capacity, size_t *out_n) {
    *out_n = 0;
    if (capacity > 1 << 30) capacity = 1 << 30;
    if (input->compression == NOT_KNOWN) MS_TRY(find_compression(input));
    if (input->compression == GZIP) return read_gzip(input, out, capacity, out_n);
    if (input->compression == ZSTD) return read_zstd(input, out, capacity, out_n);
    MS_TRY(refill(input));
    size_t n = input->end - input->begin;
    *out_n = n < capacity ? n : capacity;
    memcpy(out, input->raw + input->begin, *out_n);
    input->begin += *out_n;
    return MS_OK;
}

/* A format that is told by bytes at a place. */
typedef struct known_format {
    size_t offset, n;
    const char *bytes, *name, *way_out;
} known_format;

#define COLUMNS "`python -m muonscope prepare` reads it, a part of the Python package"
#define PICKLE "a Python pickle", "write its text as JSONL"
#define SHARD "a shard of tokens", "name the text that it was made of, or train on its folder with --data.directory"
#define PICTURE "name a text, or read it with a program for text in pictures"
#define PIPE(command) "`" command " FILE | muonscope data prepare - ...` reads it"

/* No text begins so. */
static const known_format formats[] = {
    {0, 4, "PAR1", "Parquet", COLUMNS},
    {0, 6, "ARROW1", "Arrow", COLUMNS},
    {0, 4, "\xff\xff\xff\xff", "Arrow's stream (a data set of Hugging Face)", COLUMNS},
    {0, 4, "Obj\x01", "Avro", "write its text as JSONL"},
    {0, 2, "\x1f\x8b", "gzip within a compressed file", "decompress it once first"},
    {0, 4, "\x28\xb5\x2f\xfd", "zstd within a compressed file", "decompress it once first"},
    {4, 6, "1AY&SY", "bzip2", PIPE("bzip2 -dc")},
    {0, 6, "\xfd\x37zXZ\x00", "xz", PIPE("xz -dc")},
    {0, 4, "\x04\x22\x4d\x18", "lz4", PIPE("lz4 -dc")},
    {30, 19, "[Content_Types].xml", "an Office document", "save it as text"},
    {30, 8, "mimetype", "an OpenDocument or EPUB file", "save it as text"},
    {0, 4, "PK\x03\x04", "zip", PIPE("unzip -p")},
    {0, 6, "7z\xbc\xaf\x27\x1c", "7-Zip", "unpack it first"},
    {257, 5, "ustar", "tar", PIPE("tar -xOf")},
    {0, 6, "Rar!\x1a\x07", "RAR", "unpack it first"},
    {0, 2, "\x1f\x9d", "compress (.Z)", PIPE("gzip -dc")},
    {0, 4, "PK\x05\x06", "an empty zip", "name a text"},
    {0, 2, "\x80\x02", PICKLE},
    {0, 2, "\x80\x03", PICKLE},
    {0, 2, "\x80\x04", PICKLE},
    {0, 2, "\x80\x05", PICKLE},
    {0, 8, "\x89PNG\r\n\x1a\n", "PNG", PICTURE},
    {0, 3, "\xff\xd8\xff", "JPEG", PICTURE},
    {0, 4, "II*\0", "TIFF", PICTURE},
    {0, 4, "MM\0*", "TIFF", PICTURE},
    {0, 4, "\x1a\x45\xdf\xa3", "Matroska", "name a text"},
    {0, 8, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document", "save it as text"},
    {0, 4, "\0asm", "WebAssembly", "name a text"},
    {0, 4, "\xca\xfe\xba\xbe", "a program (Java or Mach-O)", "name a text"},
    {0, 4, "\xcf\xfa\xed\xfe", "a program (Mach-O)", "name a text"},
    {0, 4, "MZ\x90\0", "a program (Windows)", "name a text"},
    {0, 5, "%PDF-", "PDF", "pdftotext makes text of it"},
    {0, 16, "SQLite format 3\x00", "SQLite", "write its text as JSONL"},
    {0, 4, "\x89HDF", "HDF5", "write its text as JSONL"},
    {0, 6, "\x93NUMPY", "NumPy", "write its text as JSONL"},
    {0, 4,
     "\x7f"
     "ELF",
     "a program (ELF)", "name a text"},
    {5, 5, "\0\0\0{\"", "safetensors (weights of a model)", "name a text"},
    {0, 4, "\x88\xd8\x34\x01", SHARD}, /* MS_SHARD_MAGIC */
    {0, 4, "\xa1\xd9\x34\x01", SHARD}, /* MS_SHARD_MAGIC_32 */
    {0, 4, "\xff\xfe\x00\x00", "UTF-32", PIPE("iconv -f UTF-32 -t UTF-8")},
    {0, 2, "\xff\xfe", "UTF-16", PIPE("iconv -f UTF-16 -t UTF-8")},
    {0, 2, "\xfe\xff", "UTF-16", PIPE("iconv -f UTF-16 -t UTF-8")},
    {0, 0, NULL, NULL, NULL},
};

/* Text may begin so: these are told where control characters follow. */
static const known_format formats_of_letters[] = {
    {0, 3, "ORC", "ORC", "write its text column as JSONL (pyarrow, duckdb)"},
    {0, 4, "FEA1", "Feather", "write its text column as JSONL (pyarrow)"},
    {0, 4, "GGUF", "GGUF (weights of a model)", "name a text"},
    {0, 4, "GIF8", "GIF", PICTURE},
    {8, 4, "WEBP", "WebP", PICTURE},
    {0, 4, "RIFF", "RIFF (sound or video)", "name a text"},
    {4, 4, "ftyp", "MP4", "name a text"},
    {0, 4, "OggS", "Ogg", "name a text"},
    {0, 4, "fLaC", "FLAC", "name a text"},
    {0, 3, "ID3", "MP3", "name a text"},
    {0, 0, NULL, NULL, NULL},
};

/* Whether the start of a file has control characters that no text has. */
static bool has_controls(const char *text, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes && i < MS_INPUT_FORMAT_BYTES; i++)
        if ((unsigned char)text[i] < 0x20 && !memchr("\t\n\v\f\r\x1b", text[i], 6)) return true;
    return false;
}

/* A zip whose first entry is called <any name>/data.pkl. */
static bool is_pytorch(const char *text, size_t size_bytes) {
    enum { NAME = 30 }; /* where the entry's name begins; its length is two bytes at 26 */
    static const char pickle[] = "/data.pkl";
    if (size_bytes < NAME || memcmp(text, "PK\x03\x04", 4) != 0) return false;
    size_t n = (size_t)(unsigned char)text[26] + 256 * (size_t)(unsigned char)text[27];
    return n >= sizeof pickle - 1 && size_bytes >= NAME + n &&
           memcmp(text + NAME + n - (sizeof pickle - 1), pickle, sizeof pickle - 1) == 0;
}

static const known_format *find_format(const known_format *rows, const char *text, size_t size_bytes) {
    for (; rows->name; rows++)
        if (size_bytes >= rows->offset + rows->n && memcmp(text + rows->offset, rows->bytes, rows->n) == 0) return rows;
    return NULL;
}

ms_status ms_input_check_format(const ms_input *input, const char *text, size_t size_bytes) {
    static const known_format pytorch = {0, 0, NULL, "PyTorch's file (weights of a model, or a pickle)", "name a text"};
    const known_format *format = is_pytorch(text, size_bytes) ? &pytorch : find_format(formats, text, size_bytes);
    if (!format && has_controls(text, size_bytes)) format = find_format(formats_of_letters, text, size_bytes);
    if (format)
        return MS_FAIL(MS_UNSUPPORTED, "%s is %s, not UTF-8 text or JSONL: %s", ms_input_name(input), format->name,
                       format->way_out);
    /* ASCII in UTF-16 without a mark: every second byte is 0. */
    if (size_bytes >= 4 && (text[0] == '\0') != (text[1] == '\0') && (text[0] == '\0') == (text[2] == '\0') &&
        (text[1] == '\0') == (text[3] == '\0'))
        return MS_FAIL(MS_UNSUPPORTED,
                       "%s is UTF-16 without a byte-order mark, not UTF-8: `iconv -f UTF-16%s -t UTF-8` "
                       "makes it that",
                       ms_input_name(input), text[0] == '\0' ? "BE" : "LE");
    return MS_OK;
}
