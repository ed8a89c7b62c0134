"""Fits the polynomials of muon.spectral_exponent (the table of optim/orthogonalise.c) and prints them.

    python3 tests/golden/make_exponents.py        (needs NumPy; half a minute)

Five odd quintics y' = a y + b y^3 + c y^5 from y0 = x, and the sum of w_k y_k, which is near x^p for x in [1e-3, 1].
Gauss-Newton steps with damping on sum / x^p - 1, from Polar Express; then with weights that grow where the error is
large (Lawson 1961).  The best set by largest relative error is kept."""
import numpy

from make_updates import POLAR_EXPRESS

STEPS = 5
START = [c for triple in POLAR_EXPRESS for c in triple]
X = numpy.exp(numpy.linspace(numpy.log(1e-3), 0, 800))


def run(t, x):
    """The sum, and its derivatives by the 15 coefficients and the 6 weights."""
    weights = t[3 * STEPS:]
    y, slopes, total, result = x, numpy.zeros((t.size, x.size)), weights[0] * x, numpy.zeros((t.size, x.size))
    result[3 * STEPS] = x
    for i in range(STEPS):
        a, b, c = t[3 * i:3 * i + 3]
        slopes *= a + 3 * b * y**2 + 5 * c * y**4
        slopes[3 * i:3 * i + 3] += y, y**3, y**5
        y = a * y + b * y**3 + c * y**5
        total = total + weights[i + 1] * y
        result += weights[i + 1] * slopes
        result[3 * STEPS + 1 + i] += y
    return total, result


def error(t, p):
    return numpy.abs(run(t, X)[0] / X**p - 1).max()


def improve(t, p, turns, is_sharp):
    best, damping, weights = t.copy(), 1e-3, numpy.ones(X.size)
    for _ in range(turns):
        y, slopes = run(t, X)
        residual, scale = y / X**p - 1, numpy.abs(t) + 1e-2
        jacobian = (slopes / X**p).T * scale
        left, right = jacobian.T @ (weights[:, None] * jacobian), jacobian.T @ (weights * residual)
        trial = t - scale * numpy.linalg.solve(left + damping * numpy.diag(numpy.diag(left) + 1e-9), right)
        with numpy.errstate(all="ignore"):
            value = run(trial, X)[0] / X**p - 1
            is_better = numpy.isfinite(value).all() and (weights * value**2).sum() < (weights * residual**2).sum()
        t, damping = (trial, max(damping / 3, 1e-10)) if is_better else (t, min(damping * 4, 1e6))
        if error(t, p) < error(best, p):
            best = t.copy()
        if is_sharp:
            now = numpy.abs(run(t, X)[0] / X**p - 1)
            weights = weights * (0.8 + 0.2 * (now / now.max()) ** 0.5)
            weights = numpy.maximum(weights / weights.mean(), 1e-3)
    return best


def main():
    for p in (0.25, 0.5, 0.75):
        t = numpy.array(START + [p / 2] + [0.1] * (STEPS - 1) + [0.5])
        t = improve(improve(t, p, 300, False), p, 1500, True)
        print(f"p {p}: largest relative error {error(t, p):.5f}")
        for i in range(STEPS):
            print("    {%.12g, %.12g, %.12g}," % tuple(t[3 * i:3 * i + 3]))
        print("    weights {%s}" % ", ".join("%.12g" % w for w in t[3 * STEPS:]))


if __name__ == "__main__":
    main()
