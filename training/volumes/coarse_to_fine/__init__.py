"""The tables of article 002: coarse to fine by rounds, the recurrent network, and organs with what lies in them."""
