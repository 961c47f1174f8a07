"""Radiographs drawn from closed bone surfaces, with exact labels that may overlap.

surface -> part (bones that move together, with their joints) -> skeleton (parts put together and posed) -> scene (which
film of it is taken) -> thickness (line integrals through every bone) -> exposure (what the film shows).
"""
