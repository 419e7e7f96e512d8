"""Scans pushed by a PACS into a folder: `listening` at the network, `Inbox` at the disk."""

from bs_client.receive.inbox import Inbox, Outcome, StoreStatus
from bs_client.receive.server import ReceiverSettings, listening

__all__ = ["Inbox", "Outcome", "ReceiverSettings", "StoreStatus", "listening"]
