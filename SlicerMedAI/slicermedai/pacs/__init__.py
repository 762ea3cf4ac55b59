"""Destinations that results are sent to, and where studies come from: stores, outbox, retrieval, inbox.

pynetdicom and dicomweb-client use threads, so what speaks to a network (``dimse``, ``web``, ``receive``) runs in child
processes alone; ``peers`` and ``outbox`` need neither, and may be read anywhere.
"""
