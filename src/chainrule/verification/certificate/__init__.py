"""The likelihood certificate: named checks that a number is a log-likelihood. One file a family of checks."""
