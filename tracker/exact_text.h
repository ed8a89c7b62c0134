/* Numbers of a checkpoint's texts: the bits of f32 and f64 in hexadecimal, which come back as they were. */
#ifndef MS_TRACKER_EXACT_TEXT_H
#define MS_TRACKER_EXACT_TEXT_H

#ifdef __cplusplus
extern "C" {
#endif

/* Characters of a number; there is no NUL behind them. */
enum { MS_EXACT_F64 = 16, MS_EXACT_F32 = 8 };

/* Writes a number; returns what follows it.  Thread-safe, as all of these. */
char *ms_exact_put_f64(char *text, double value);
char *ms_exact_put_f32(char *text, float value);
/* Reads a number; returns what follows it, NULL where there is none. */
const char *ms_exact_take_f64(const char *text, double *out);
const char *ms_exact_take_f32(const char *text, float *out);

#ifdef __cplusplus
}
#endif

#endif
