/* The Fourier transforms of fft.h for one element type: REAL, and OF(name) for the names. */

typedef REAL OF(td_rows) __attribute__((vector_size(TD_FFT_BYTES)));
enum { OF(TD_FFT_ROWS) = TD_FFT_BYTES / sizeof(REAL) };
#define ROWS OF(td_rows)

/* Complex numbers of several rows: the real parts of all points, then the imaginary ones. */
typedef struct OF(td_line) {
    ROWS *re, *im;
} OF(td_line);

TD_INLINE OF(td_line) OF(td_line_at)(ROWS *planes, int64_t points, int64_t at) {
    return (OF(td_line)){planes + at, planes + points + at};
}

/* to[i] = (re, im) times the complex number w. */
TD_INLINE void OF(td_turn)(OF(td_line) to, int64_t i, ROWS re, ROWS im, const REAL *w) {
    to.re[i] = re * w[0] - im * w[1];
    to.im[i] = re * w[1] + im * w[0];
}

static void OF(td_fft_two)(const REAL *w, int64_t points, int64_t s, ROWS *x, ROWS *y) {
    const int64_t half = points / (2 * s);
    for (int64_t p = 0; p < half; p++) {
        const OF(td_line) a = OF(td_line_at)(x, points, s * p);
        const OF(td_line) b = OF(td_line_at)(x, points, s * (p + half));
        const OF(td_line) c = OF(td_line_at)(y, points, s * 2 * p);
        const OF(td_line) d = OF(td_line_at)(y, points, s * (2 * p + 1));
        for (int64_t i = 0; i < s; i++) {
            const ROWS a_re = a.re[i], a_im = a.im[i], b_re = b.re[i], b_im = b.im[i];
            c.re[i] = a_re + b_re;
            c.im[i] = a_im + b_im;
            OF(td_turn)(d, i, a_re - b_re, a_im - b_im, w + 4 * s * p);
        }
    }
}

static void OF(td_fft_four)(const REAL *w, int64_t points, int64_t s, ROWS *x, ROWS *y) {
    const int64_t part = points / (4 * s);
    for (int64_t p = 0; p < part; p++) {
        OF(td_line) in[4], out[4];
        for (int k = 0; k < 4; k++) {
            in[k] = OF(td_line_at)(x, points, s * (p + k * part));
            out[k] = OF(td_line_at)(y, points, s * (4 * p + k));
        }
        const REAL *w1 = w + 4 * s * p, *w2 = w + 8 * s * p, *w3 = w + 12 * s * p;
        for (int64_t i = 0; i < s; i++) {
            const ROWS a_re = in[0].re[i] + in[2].re[i], a_im = in[0].im[i] + in[2].im[i];
            const ROWS b_re = in[0].re[i] - in[2].re[i], b_im = in[0].im[i] - in[2].im[i];
            const ROWS c_re = in[1].re[i] + in[3].re[i], c_im = in[1].im[i] + in[3].im[i];
            const ROWS d_re = in[1].im[i] - in[3].im[i], d_im = in[3].re[i] - in[1].re[i];
            out[0].re[i] = a_re + c_re;
            out[0].im[i] = a_im + c_im;
            OF(td_turn)(out[1], i, b_re + d_re, b_im + d_im, w1);
            OF(td_turn)(out[2], i, a_re - c_re, a_im - c_im, w2);
            OF(td_turn)(out[3], i, b_re - d_re, b_im - d_im, w3);
        }
    }
}

/* Any radix r, by its definition. */
static void OF(td_fft_any)(const REAL *w, int64_t points, int64_t s, int64_t r, ROWS *x, ROWS *y) {
    const int64_t part = points / (r * s), whole = 2 * points;
    for (int64_t p = 0; p < part; p++)
        for (int64_t k = 0; k < r; k++) {
            const OF(td_line) out = OF(td_line_at)(y, points, s * (r * p + k));
            for (int64_t j = 0; j < r; j++) {
                const OF(td_line) in = OF(td_line_at)(x, points, s * (p + j * part));
                const REAL *turn = w + 2 * ((whole / r * (j * k % r) + 2 * s * p * k) % whole);
                for (int64_t i = 0; i < s; i++) {
                    const ROWS re = in.re[i] * turn[0] - in.im[i] * turn[1];
                    const ROWS im = in.re[i] * turn[1] + in.im[i] * turn[0];
                    out.re[i] = j ? out.re[i] + re : re;
                    out.im[i] = j ? out.im[i] + im : im;
                }
            }
        }
}

/* The transform of `points` complex numbers of all rows, from x or y to the one that is returned. */
static ROWS *OF(td_fft)(const REAL *w, int64_t points, ROWS *x, ROWS *y) {
    for (int64_t s = 1; s < points;) {
        const int64_t left = points / s;
        const int64_t r = left % 4 == 0 ? 4 : td_fft_radix(left);
        if (r == 4) OF(td_fft_four)(w, points, s, x, y);
        else if (r == 2) OF(td_fft_two)(w, points, s, x, y);
        else OF(td_fft_any)(w, points, s, r, x, y);
        ROWS *const done = y;
        y = x;
        x = done;
        s *= r;
    }
    return x;
}

/* Pairs of neighbours as complex numbers, times the window where there is one, zeros behind them. */
static void OF(td_fft_read)(const td_call *call, int64_t first, int64_t points, ROWS *planes) {
    const td_tensor *x = call->in[0], *window = call->in[2];
    const int64_t length = TD_MIN(x->shape[1], 2 * points), step = x->stride[1];
    const int64_t rows = TD_MIN(x->shape[0] - first, OF(TD_FFT_ROWS));
    const REAL *from[OF(TD_FFT_ROWS)], *factor = window->data;
    for (int64_t i = 0; i < OF(TD_FFT_ROWS); i++)  /* rows that are not there repeat the first */
        from[i] = (const REAL *)x->data + (first + (i < rows ? i : 0)) * x->stride[0];
    for (int64_t at = 0; at < 2 * points; at++) {
        ROWS value = {0};
        if (at < length) {
            for (int i = 0; i < OF(TD_FFT_ROWS); i++) value[i] = from[i][at * step];
            if (factor) value *= factor[at];
        }
        planes[at % 2 * points + at / 2] = value;
    }
}

/* The first half of the transform of 2 * points real numbers, from that of their pairs, which goes. */
static void OF(td_fft_write)(const td_call *call, int64_t first, int64_t points, ROWS *z) {
    const td_tensor *y = call->out[0];
    const REAL *w = call->in[1]->data, *real = (const REAL *)z, *other = (const REAL *)(z + points);
    const int64_t rows = TD_MIN(y->shape[0] - first, OF(TD_FFT_ROWS));
    const ROWS sum = z[0] + z[points], last = z[0] - z[points];
    for (int64_t k = 1; 2 * k <= points; k++) {
        const int64_t l = points - k;
        const ROWS a_re = z[k], a_im = z[points + k], b_re = z[l], b_im = z[points + l];
        const ROWS even_re = a_re + b_re, even_im = a_im - b_im;
        const ROWS odd_re = a_im + b_im, odd_im = b_re - a_re;
        const ROWS re = odd_re * w[2 * k] - odd_im * w[2 * k + 1];
        const ROWS im = odd_re * w[2 * k + 1] + odd_im * w[2 * k];
        z[points + l] = (im - even_im) * (REAL)0.5;
        z[l] = (even_re - re) * (REAL)0.5;
        z[points + k] = (even_im + im) * (REAL)0.5;
        z[k] = (even_re + re) * (REAL)0.5;
    }
    z[0] = sum;
    z[points] = (ROWS){0};
    for (int64_t i = 0; i < rows; i++) {
        REAL *to = (REAL *)y->data + (first + i) * y->stride[0];
        for (int64_t k = 0; k < points; k++, to += y->stride[1]) {
            to[0] = real[k * OF(TD_FFT_ROWS) + i];
            to[1] = other[k * OF(TD_FFT_ROWS) + i];
        }
        to[0] = last[i];
        to[1] = 0;
    }
}
static void OF(td_rfft)(const td_call *call, int64_t points) {
    ROWS *x = call->scratch, *y = x + 2 * points;
    for (int64_t u = call->begin; u < call->end; u++) {
        OF(td_fft_read)(call, u * OF(TD_FFT_ROWS), points, x);
        ROWS *z = OF(td_fft)(call->in[1]->data, points, x, y);
        OF(td_fft_write)(call, u * OF(TD_FFT_ROWS), points, z);
    }
}

#undef ROWS
#undef REAL
#undef OF
