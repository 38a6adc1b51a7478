"""The rooms of the desk: each decides one part of the business."""
