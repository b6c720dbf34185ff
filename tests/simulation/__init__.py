"""A seeded world of servers, faults and people; the real engine lives in it, and an independent checker judges."""
