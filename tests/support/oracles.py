"""Each head's formula once more, from its paper and not from our code: slow, in as many digits as it takes."""

import math

import mpmath
import numpy as np
from mpmath import mpf

# --- levels, counts and reals ---------------------------------------------------------------------------------------


def normal_cdf(t):
    return mpmath.erfc(-t / mpmath.sqrt(2)) / 2


def logistic_cdf(t):
    return 1 / (1 + mpmath.exp(-t))


def interval(cdf, a, b):
    """F(b) - F(a) of a symmetric F, subtracted in the tail where it is small."""
    return cdf(b) - cdf(a) if a + b < 0 else cdf(-a) - cdf(-b)


def mixture(logits, parts):
    """ln sum_k softmax(logits)_k parts_k."""
    weights = [mpmath.exp(mpf(float(s))) for s in logits]
    return mpmath.log(sum(w * part for w, part in zip(weights, parts, strict=True)) / sum(weights))


def components(mean, log_scale):
    return [(mpf(float(m)), mpmath.exp(mpf(float(s)))) for m, s in zip(mean, log_scale, strict=True)]


def logistic_mixture(x, logits, mean, log_scale, num_symbols):
    """Salimans et al. 2017, section 2.1: the two outermost levels take the tails."""
    with mpmath.workdps(60):
        parts = []
        for mu, s in components(mean, log_scale):
            low = -mpmath.inf if x == 0 else (x - mpf(1) / 2 - mu) / s
            high = mpmath.inf if x == num_symbols - 1 else (x + mpf(1) / 2 - mu) / s
            if low == -mpmath.inf:
                parts.append(1 if high == mpmath.inf else logistic_cdf(high))
            else:
                parts.append(logistic_cdf(-low) if high == mpmath.inf else interval(logistic_cdf, low, high))
        return mixture(logits, parts)


def gaussian_mixture(x, logits, mean, log_scale, centre=0.0, spread=1.0, resolution=None):
    """Bishop 1994, *Mixture density networks*, equation 22, in the units of x; its integral at a resolution."""
    with mpmath.workdps(60):
        parts = []
        for m, s in components(mean, log_scale):
            mu, sigma = mpf(centre) + mpf(spread) * m, mpf(spread) * s
            if resolution is None:
                parts.append(mpmath.npdf(mpf(float(x)), mu, sigma))
            else:
                half = mpf(resolution) / 2
                parts.append(
                    interval(normal_cdf, (mpf(float(x)) - half - mu) / sigma, (mpf(float(x)) + half - mu) / sigma)
                )
        return mixture(logits, parts)


def count(n, logits, mean, log_scale):
    """The whole part of a positive number whose logarithm is a mixture of logistics."""
    with mpmath.workdps(60):
        parts = []
        for mu, s in components(mean, log_scale):
            high = (mpmath.log(mpf(n) + 1) - mu) / s
            parts.append(interval(logistic_cdf, (mpmath.log(n) - mu) / s, high) if n else logistic_cdf(high))
        return mixture(logits, parts)


def error_in_eps(ours, exact, eps=2.0**-23):
    """|ours - exact| / (eps max(1, |exact|))."""
    return float(abs(mpf(float(ours)) - exact) / max(mpf(1), abs(exact)) / eps)


# --- many symbols ---------------------------------------------------------------------------------------------------


def log_softmax(logits):
    """s_k - ln sum_j e^(s_j) over the last axis, in the widest floats there are."""
    s = np.asarray(logits, dtype=np.longdouble)
    top = s.max(-1, keepdims=True)
    return s - top - np.log(np.exp(s - top).sum(-1, keepdims=True))


def linear_log_softmax(h, weight, bias):
    """The log-softmax of W h_n + b, shape (N, V), float64."""
    return log_softmax(np.float64(h) @ np.float64(weight).T + np.float64(bias)).astype(np.float64)


def linear_log_prob_gradients(h, weight, bias, x, g):
    """The gradients of sum_n g_n ln softmax(W h_n + b)[x_n] by h, W and b, from g_n ([k = x_n] - p_nk) by logit."""
    by_logit = -np.exp(linear_log_softmax(h, weight, bias)) * g[:, None]
    by_logit[np.arange(len(x)), x] += g
    return by_logit @ np.float64(weight), by_logit.T @ np.float64(h), by_logit.sum(0)


def adaptive_softmax(h, root, clusters, counts, cutoffs):
    """Grave et al. 2017, section 4: ln p of every symbol for one h; symbols are ranked by count, ties by number.

    root: (W, b) over the short list and the clusters. clusters: (P, W, b) each.
    """
    ranked = sorted(range(len(counts)), key=lambda k: (-counts[k], k))
    first = linear_log_softmax(h[None], *root)[0]
    result = np.empty(len(counts))
    for rank, symbol in enumerate(ranked):
        cluster = sum(rank >= start for start in cutoffs)
        if cluster == 0:
            result[symbol] = first[rank]
        else:
            project, weight, bias = clusters[cluster - 1]
            inside = linear_log_softmax((project @ h)[None], weight, bias)[0]
            result[symbol] = first[cutoffs[0] + cluster - 1] + inside[rank - cutoffs[cluster - 1]]
    return result


def tree_softmax(h, weight, bias, children):
    """Morin and Bengio 2005, equation 2: ln p of every symbol for one h, by recursion from the root.

    children: (left, right) of each inner node; leaves are 0 to V - 1, inner nodes V to 2V - 2, the last is the root.
    """
    v = len(children) + 1
    result = np.empty(v)

    def descend(node, log_p):
        if node < v:
            result[node] = log_p
            return
        s = float(np.float64(weight[node - v]) @ np.float64(h) + np.float64(bias[node - v]))
        descend(children[node - v][0], log_p - np.logaddexp(0, s))
        descend(children[node - v][1], log_p - np.logaddexp(0, -s))

    descend(2 * v - 2, 0.0)
    return result


def least_code_length(counts):
    """The least sum of count times depth over all binary trees, by Huffman 1952: the sum of all merged weights."""
    weights, total = sorted(counts), 0
    while len(weights) > 1:
        merged = weights[0] + weights[1]
        total += merged
        weights = sorted([*weights[2:], merged])
    return total


def sampled_softmax(s, x, sample, nu):
    """Bengio and Senecal 2008: ln e^(s_x) / Z, Z summed over the target and the sample, each weighted by 1 / nu."""
    z = math.exp(s[x]) + sum(math.exp(s[k]) / nu[k] for k in sample if k != x)
    return s[x] - math.log(z)


def noise_contrastive(s, x, sample, nu):
    """Gutmann and Hyvarinen 2010, equation 3: data against noise that shows symbol k nu_k times."""
    of_data = [math.exp(s_k) / (math.exp(s_k) + nu_k) for s_k, nu_k in zip(s, nu, strict=True)]
    return math.log(of_data[x]) + sum(math.log(1 - of_data[k]) for k in sample)


def negative_sampling(s, x, sample, nu):
    """Mikolov et al. 2013, equation 4, without the target among the negatives."""
    sigmoid = [1 / (1 + math.exp(-s_k)) for s_k in s]
    return math.log(sigmoid[x]) + sum(math.log(1 - sigmoid[k]) for k in sample if k != x)
