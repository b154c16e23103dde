// Draws the maps of codes, and shows the row whose point is nearest to the pointer.
"use strict";
for (const holder of document.querySelectorAll("[data-map]")) {
  const map = JSON.parse(document.getElementById(holder.dataset.map).textContent);
  const [plane, shown] = [holder.querySelector("canvas"), holder.querySelector(".row")];
  const side = 720, edge = 12;
  plane.width = plane.height = side;
  const ends = [0, 1].map((axis) => {
    const values = map.points.map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)];
  });
  const place = (point) => point.map((x, axis) => {
    const [low, high] = ends[axis];
    const share = high > low ? (x - low) / (high - low) : 0.5;
    return edge + (side - 2 * edge) * (axis ? 1 - share : share);
  });
  const places = map.points.map(place);
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return [0, 1, 2, 3, 4, 5, 6, 7].map((number) => style.getPropertyValue("--c" + number).trim());
  };
  const colour = (number, all) => {
    const label = map.classes ? map.classes[number] : 0;
    return label < 8 ? all[label] : `hsl(${(label * 137) % 360} 60% 55%)`;
  };
  const draw = (marked) => {
    const context = plane.getContext("2d"), all = colours();
    context.clearRect(0, 0, side, side);
    places.forEach(([x, y], number) => {
      context.fillStyle = colour(number, all);
      context.beginPath();
      context.arc(x, y, number === marked ? 9 : 3.5, 0, 7);
      context.fill();
    });
  };
  const tell = (number) => {
    shown.textContent = "";
    const head = document.createElement("p");
    const label = map.classes ? `, class ${map.names[map.classes[number]]}` : "";
    head.textContent = `row ${map.rows[number]}${label}`;
    shown.append(head);
    if (map.picture) {
      const [height, width] = map.picture, picture = document.createElement("canvas");
      [picture.width, picture.height] = [width, height];
      const pixels = atob(map.values), context = picture.getContext("2d");
      const image = context.createImageData(width, height);
      for (let i = 0; i < height * width; i++) {
        const grey = 255 - pixels.charCodeAt(number * height * width + i);
        image.data.set([grey, grey, grey, 255], 4 * i);
      }
      context.putImageData(image, 0, 0);
      shown.append(picture);
    } else {
      map.columns.forEach((name, column) => {
        const line = document.createElement("div");
        line.textContent = `${name}: ${map.values[number][column]}`;
        shown.append(line);
      });
    }
  };
  const heard = (event) => {
    const box = plane.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top].map((at) => (at * side) / box.width);
    let [nearest, least] = [0, Infinity];
    places.forEach(([px, py], number) => {
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [nearest, least] = [number, distance];
    });
    draw(nearest);
    tell(nearest);
  };
  plane.addEventListener("pointermove", heard);
  plane.addEventListener("pointerdown", heard);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(-1));
  draw(-1);
}
